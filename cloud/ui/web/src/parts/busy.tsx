/**
 * A button that keeps the keyboard while what it asked for is under way, or while there is nothing to
 * ask for: a disabled one would lose it to the page.
 */
import { Button, Loader, type ButtonProps } from '@mantine/core';
import { useRef, type ComponentPropsWithoutRef } from 'react';

type Props = ButtonProps & ComponentPropsWithoutRef<'button'> & {
  busy: boolean;
  off?: boolean; // nothing can be asked for yet
};

export function BusyButton({ busy, off = false, onClick, leftSection, ...rest }: Props) {
  return (
    <Button
      {...rest} aria-disabled={busy || off} {...(off ? { 'data-disabled': true } : {})}
      leftSection={busy ? <Loader size={14} color="currentColor" /> : leftSection}
      onClick={(event) => {
        if (busy || off) event.preventDefault(); // also of a form that is sent by the Enter key
        else onClick?.(event);
      }}
    />
  );
}

/** Keeps the keyboard in a part of the page whose button goes with what it did. */
export function useKept<E extends HTMLElement>() {
  const ref = useRef<E>(null);
  const keep = () => {
    if (ref.current?.contains(document.activeElement)) ref.current.focus();
  };
  return { part: { ref, tabIndex: -1 }, keep };
}
