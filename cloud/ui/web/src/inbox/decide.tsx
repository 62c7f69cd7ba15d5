/** The dialogues of a decision: until when to snooze, why to dismiss. */
import { Button, Group, Modal, Radio, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Advisory } from '../api/client';
import type { Decision } from '../api/queries';
import { useFormats } from '../parts/format';

const HOUR_MS = 3_600_000;
const SPANS = { hour1: 1, day1: 24, day3: 72, week1: 168 } as const;

function SnoozeDialog({ advisory, now, close, decide }: {
  advisory: Advisory;
  now: number; // ms on the machine's clock
  close: () => void;
  decide: (decision: Decision) => void;
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  const [span, setSpan] = useState<keyof typeof SPANS>('day1');
  const [reason, setReason] = useState('');
  const until = new Date(now + SPANS[span] * HOUR_MS);
  return (
    <Modal opened onClose={close} title={t('inbox.snooze')} closeButtonProps={{ 'aria-label': t('common.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          decide({ kind: 'defer', until: until.toISOString(), ...(reason.trim() ? { reason: reason.trim() } : {}) });
          close();
        }}
      >
        <Stack gap="sm">
          <Radio.Group label={t('inbox.snoozeUntil')} value={span} onChange={(value) => setSpan(value as keyof typeof SPANS)}>
            <Stack gap={6} mt={6}>
              {(Object.keys(SPANS) as (keyof typeof SPANS)[]).map((one) => (
                <Radio key={one} value={one} label={t(`inbox.${one}`)} />
              ))}
            </Stack>
          </Radio.Group>
          <Text size="sm">
            {formats.on(advisory.clock, formats.moment(until.getTime()))}
          </Text>
          <TextInput
            label={t('inbox.reason')} description={t('inbox.reasonHint')} value={reason} maxLength={10_000}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>{t('common.cancel')}</Button>
            <Button type="submit" data-autofocus>{t('inbox.snooze')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** Dismiss for good, or shelve until it gets worse: both say why. */
function ReasonedDialog({ kind, close, decide }: {
  kind: 'reject' | 'shelve';
  close: () => void;
  decide: (decision: Decision) => void;
}) {
  const { t } = useTranslation();
  const [reason, setReason] = useState('');
  const title = kind === 'reject' ? t('inbox.dismiss') : t('inbox.shelve');
  return (
    <Modal opened onClose={close} title={title} closeButtonProps={{ 'aria-label': t('common.close') }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          decide({ kind, reason: reason.trim() });
          close();
        }}
      >
        <Stack gap="sm">
          {kind === 'shelve' && <Text size="sm">{t('inbox.shelveHint')}</Text>}
          <Textarea
            data-autofocus required autosize minRows={2} maxRows={8} maxLength={10_000}
            label={t('inbox.reason')} description={t('inbox.reasonNeeded')} value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>{t('common.cancel')}</Button>
            <Button type="submit" {...(kind === 'reject' ? { color: 'red' } : {})} disabled={!reason.trim()}>{title}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** The dialogue that a decision needs, while it is open. */
export default function DecisionDialog({ kind, advisory, now, close, decide }: {
  kind: 'snooze' | 'reject' | 'shelve';
  advisory: Advisory;
  now: number;
  close: () => void;
  decide: (decision: Decision) => void;
}) {
  return kind === 'snooze' ? (
    <SnoozeDialog advisory={advisory} now={now} close={close} decide={decide} />
  ) : (
    <ReasonedDialog kind={kind} close={close} decide={decide} />
  );
}
