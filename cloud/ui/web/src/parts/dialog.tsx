/**
 * The frame of a dialogue with a form: it stays, with what was typed, until what it asks for is done or
 * somebody leaves it. Its button keeps the keyboard while it waits: a disabled one would lose it to the page.
 */
import { Button, Group, Loader, Modal, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Outdated } from '../api/client';
import { SeverityMark } from './marks';
import { refusal } from './notice';

export interface Asked {
  busy: boolean;
  refused?: unknown;
  close: () => void;
}

export function FormDialog({ title, ready, grave, focused, submit, children, busy, refused, close }: Asked & {
  title: string;
  ready: boolean;
  grave?: boolean; // what it does cannot be taken back
  focused?: boolean; // there is nothing to type first
  submit: () => void;
  children: ReactNode;
}) {
  const { t } = useTranslation();
  return (
    <Modal opened onClose={close} title={title} closeButtonProps={{ 'aria-label': t('common.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready && !busy) submit();
        }}
      >
        <Stack gap="sm">
          {children}
          {refused !== undefined && (
            <Text size="sm" role="alert" className="break">
              {refused instanceof Outdated && refused.worse && <><SeverityMark severity={refused.now.severity} />{' '}</>}
              {refusal(refused, t)}
            </Text>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>{t('common.cancel')}</Button>
            <Button
              type="submit" aria-disabled={busy} leftSection={busy && <Loader size={14} color="currentColor" />}
              disabled={!ready} {...(grave ? { color: 'red' } : {})}
              {...(focused ? { 'data-autofocus': true } : {})}
            >
              {title}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
