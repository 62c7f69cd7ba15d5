import { useTranslation } from 'react-i18next';
import type { TicketState } from '../api/client';
import { Icon, type IconName } from '../parts/icons';
import marks from '../parts/marks.module.css';

const LOOKS: Record<TicketState, [string, IconName]> = {
  new: ['alert', 'alert'],
  in_progress: ['learning', 'wrench'],
  resolved: ['normal', 'normal'],
  closed_confirmed: ['unknown', 'normal'],
  closed_unconfirmed: ['unknown', 'normal'],
  cancelled: ['unknown', 'unknown'],
};

export function TicketMark({ state }: { state: TicketState }) {
  const { t } = useTranslation();
  const [look, icon] = LOOKS[state];
  return (
    <span className={`state ${marks[look]}`}>
      <Icon name={icon} size={14} />
      {t(`ticketState.${state}`)}
    </span>
  );
}
