/**
 * The frame of a dialogue with a form: it stays, with what was typed, until what it asks for is done or
 * somebody leaves it.
 */
import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Outdated } from '../api/client';
import { BusyButton } from './busy';
import { SeverityMark } from './marks';
import { refusal } from './notice';

export interface Asked {
  busy: boolean;
  refused?: unknown;
  close: () => void;
}

export function FormDialog({ title, does = title, ready, grave, focused, submit, children, busy, refused, close }: Asked & {
  title: string;
  does?: string; // on its button
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
            <BusyButton
              type="submit" busy={busy} off={!ready} {...(grave ? { color: 'red' } : {})}
              {...(focused ? { 'data-autofocus': true } : {})}
            >
              {does}
            </BusyButton>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
