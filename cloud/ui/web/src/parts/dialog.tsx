/** The frame of a dialogue with a form: it stays, with what was typed, until what it asks for is done. */
import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Outdated } from '../api/client';
import { SeverityMark } from './marks';
import { refusal } from './notice';

export interface Asked {
  busy: boolean;
  refused: unknown;
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
  const leave = () => busy || close();
  return (
    <Modal opened onClose={leave} title={title} closeButtonProps={{ 'aria-label': t('common.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) submit();
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
            <Button variant="default" onClick={leave}>{t('common.cancel')}</Button>
            <Button
              type="submit" loading={busy} disabled={!ready} {...(grave ? { color: 'red' } : {})}
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
