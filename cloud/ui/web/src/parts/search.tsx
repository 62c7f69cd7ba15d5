/** A search field whose words stand in the address, without the address lagging behind the hand. */
import { TextInput } from '@mantine/core';
import { useEffect, useRef, useState, type ReactNode, type Ref } from 'react';
import { Icon } from './icons';

export function Search({ value, change, label, hint, className, right, ref }: {
  value: string;
  change: (value: string) => void;
  label: string;
  hint: string;
  className?: string;
  right?: ReactNode;
  ref?: Ref<HTMLInputElement>;
}) {
  const [text, setText] = useState(value);
  const told = useRef([value]); // what was typed since the address was last drawn
  useEffect(() => {
    const at = told.current.lastIndexOf(value);
    if (at < 0) setText(value); // somebody else changed it: "clear", "back"
    told.current = at < 0 ? [value] : told.current.slice(at);
  }, [value]);
  return (
    <TextInput
      {...(ref ? { ref } : {})}
      value={text}
      onChange={(event) => {
        const next = event.currentTarget.value;
        setText(next);
        told.current.push(next);
        change(next);
      }}
      placeholder={hint}
      aria-label={label}
      leftSection={<Icon name="search" />}
      rightSection={right}
      className={className ?? ''}
    />
  );
}
