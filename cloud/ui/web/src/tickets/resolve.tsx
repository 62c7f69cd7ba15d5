/** The dialogues of a ticket: what was found and done (the verdict teaches the models), and why not. */
import { NativeSelect, Radio, Stack, Textarea } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { MachineType, Ticket, Verdict } from '../api/client';
import type { Step } from '../api/queries';
import { FormDialog, type Asked } from '../parts/dialog';
import { useFormats } from '../parts/format';

const VERDICTS: Verdict[] = ['confirmed', 'no_fault_found', 'inconclusive'];

function ResolveDialog({ ticket, type, act, ...asked }: Asked & {
  ticket: Ticket;
  type: MachineType | undefined;
  act: (step: Step) => void;
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  const [verdict, setVerdict] = useState<Verdict | ''>('');
  const [found, setFound] = useState('');
  const [note, setNote] = useState('');
  const [replaced, setReplaced] = useState('');
  const parts = type?.parts ?? [];
  const own = parts.some((one) => one.component === ticket.component)
    ? []
    : [{ value: ticket.component, label: ticket.component }];
  return (
    <FormDialog
      {...asked} title={t('ticket.resolve')} ready={verdict !== ''}
      submit={() => verdict && act({ kind: 'resolve', verdict, as_found: found.trim(), note: note.trim(), replaced })}
    >
      <Radio.Group label={t('ticket.verdict')} required value={verdict} onChange={(value) => setVerdict(value as Verdict)}>
        <Stack gap={6} mt={6}>
          {VERDICTS.map((one) => <Radio key={one} value={one} label={t(`ticket.verdict_${one}`)} />)}
        </Stack>
      </Radio.Group>
      <Textarea
        label={t('ticket.asFound')} autosize minRows={2} maxRows={8} maxLength={10_000} value={found}
        onChange={(event) => setFound(event.currentTarget.value)}
      />
      <NativeSelect
        label={t('ticket.replaced')} description={t('ticket.replacedHint')} value={replaced}
        onChange={(event) => setReplaced(event.currentTarget.value)}
        data={[
          { value: '', label: t('ticket.replacedNone') },
          ...own,
          ...parts.map((one) => ({ value: one.component, label: formats.text(one.title, one.component) })),
        ]}
      />
      <Textarea
        label={t('ticket.note')} autosize minRows={2} maxRows={8} maxLength={10_000} value={note}
        onChange={(event) => setNote(event.currentTarget.value)}
      />
    </FormDialog>
  );
}

function ReasonDialog({ title, act, ...asked }: Asked & {
  title: string;
  act: (note: string) => void;
}) {
  const { t } = useTranslation();
  const [note, setNote] = useState('');
  return (
    <FormDialog {...asked} title={title} ready={note.trim() !== ''} submit={() => act(note.trim())}>
      <Textarea
        data-autofocus required label={t('ticket.reasonFor')} autosize minRows={2} maxRows={8} maxLength={10_000}
        value={note} onChange={(event) => setNote(event.currentTarget.value)}
      />
    </FormDialog>
  );
}

/** The dialogue that a step needs, while it is open. */
export default function StepDialog({ kind, ticket, type, act, ...asked }: Asked & {
  kind: 'resolve' | 'reopen' | 'cancel';
  ticket: Ticket;
  type: MachineType | undefined;
  act: (step: Step) => void;
}) {
  const { t } = useTranslation();
  return kind === 'resolve' ? (
    <ResolveDialog ticket={ticket} type={type} act={act} {...asked} />
  ) : (
    <ReasonDialog title={t(`ticket.${kind}`)} act={(note) => act({ kind, note })} {...asked} />
  );
}
