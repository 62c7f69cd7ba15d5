/** The dialogues of a decision: until when to snooze, why to dismiss. */
import { Radio, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Advisory } from '../api/client';
import type { Decision } from '../api/queries';
import { FormDialog, type Asked } from '../parts/dialog';
import { useFormats } from '../parts/format';

const HOUR_MS = 3_600_000;
const SPANS = { hour1: 1, day1: 24, day3: 72, week1: 168 } as const;

type Deciding = Asked & { decide: (decision: Decision) => void };

function SnoozeDialog({ advisory, now, decide, ...asked }: Deciding & {
  advisory: Advisory;
  now: number; // ms on the machine's clock
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  const [span, setSpan] = useState<keyof typeof SPANS>('day1');
  const [reason, setReason] = useState('');
  const until = new Date(now + SPANS[span] * HOUR_MS);
  return (
    <FormDialog
      {...asked} title={t('inbox.snooze')} ready focused
      submit={() => decide({ kind: 'defer', until: until.toISOString(), ...(reason.trim() ? { reason: reason.trim() } : {}) })}
    >
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
    </FormDialog>
  );
}

/** Dismiss for good, or shelve until it gets worse: both say why. */
function ReasonedDialog({ kind, decide, ...asked }: Deciding & { kind: 'reject' | 'shelve' }) {
  const { t } = useTranslation();
  const [reason, setReason] = useState('');
  return (
    <FormDialog
      {...asked} title={kind === 'reject' ? t('inbox.dismiss') : t('inbox.shelve')} grave={kind === 'reject'}
      ready={reason.trim() !== ''} submit={() => decide({ kind, reason: reason.trim() })}
    >
      {kind === 'shelve' && <Text size="sm">{t('inbox.shelveHint')}</Text>}
      <Textarea
        data-autofocus required autosize minRows={2} maxRows={8} maxLength={10_000}
        label={t('inbox.reason')} description={t('inbox.reasonNeeded')} value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
    </FormDialog>
  );
}

/** The dialogue that a decision needs, while it is open. */
export default function DecisionDialog({ kind, advisory, now, ...deciding }: Deciding & {
  kind: 'snooze' | 'reject' | 'shelve';
  advisory: Advisory;
  now: number;
}) {
  return kind === 'snooze' ? (
    <SnoozeDialog advisory={advisory} now={now} {...deciding} />
  ) : (
    <ReasonedDialog kind={kind} {...deciding} />
  );
}
