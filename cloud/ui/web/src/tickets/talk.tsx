/** Everything that happened to a ticket, with who and when, and a place to write. */
import { Text, Textarea } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { EventRow, Ticket } from '../api/client';
import { useComment, useHistory } from '../api/queries';
import { BusyButton } from '../parts/busy';
import { useFormats } from '../parts/format';
import { OwnClock } from '../parts/marks';
import { useNotice } from '../parts/notice';
import { useActor } from '../parts/prefs';
import classes from './tickets.module.css';

/** The words a person wrote, wherever the event keeps them. */
function words({ detail }: EventRow): string[] {
  const found = ['text', 'as_found', 'note', 'reason'].map((key) => detail[key]);
  return found.filter((one): one is string => typeof one === 'string' && one !== '');
}

interface Told {
  event: EventRow;
  times: number;
}

/** The service moves due windows often; a run of the same small change is one line. */
export function folded(events: EventRow[]): Told[] {
  const found: Told[] = [];
  for (const event of events) {
    const last = found.at(-1);
    const same = last?.event.type === event.type && last.event.actor === event.actor;
    if (last && same && words(event).length === 0) found[found.length - 1] = { event, times: last.times + 1 };
    else found.push({ event, times: 1 });
  }
  return found.reverse();
}

export function Talk({ ticket: { id: ticket, clock } }: { ticket: Ticket }) {
  const { t, i18n } = useTranslation();
  const formats = useFormats();
  const actor = useActor();
  const { fail } = useNotice();
  const { data } = useHistory(ticket);
  const comment = useComment();
  const [text, setText] = useState('');
  const verb = (type: string) =>
    i18n.exists(`event.${type}`) ? t(`event.${type}`) : t('event.other', { type });
  return (
    <section className="card" aria-labelledby="talk">
      <h2><span id="talk">{t('ticket.conversation')}</span> <OwnClock clock={clock} /></h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!text.trim()) return;
          comment.mutate({ ticket, text: text.trim(), actor }, { onSuccess: () => setText(''), onError: fail });
        }}
      >
        <Textarea
          aria-label={t('ticket.comment')} placeholder={t('ticket.comment')} autosize minRows={2} maxRows={10}
          maxLength={10_000} value={text} onChange={(event) => setText(event.currentTarget.value)}
        />
        <BusyButton type="submit" mt={8} variant="default" off={!text.trim()} busy={comment.isPending}>
          {t('ticket.send')}
        </BusyButton>
      </form>
      <ul className={classes.talk}>
        {folded(data ?? []).map(({ event: one, times }) => (
          <li key={one.id}>
            <Text size="sm" component="div" className="break">
              <span className="strong">{formats.who(one.actor)}</span> {verb(one.type)}{times > 1 && ` ×${times}`}
              {typeof one.detail.verdict === 'string' && t('inbox.because', { reason: t(`ticket.verdict_${one.detail.verdict}`) })}
              <span className="dim small dates"> · <time dateTime={one.at} title={t('ticket.recorded', { time: formats.moment(one.recorded) })}>
                {formats.moment(one.at)}
              </time></span>
            </Text>
            {words(one).map((said) => <div key={said} className={classes.said}>{said}</div>)}
          </li>
        ))}
      </ul>
    </section>
  );
}
