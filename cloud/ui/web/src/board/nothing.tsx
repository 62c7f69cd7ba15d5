/** What a fleet without machines says, and how the first one comes. */
import { Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { isStaff, useSession } from '../api/session';

const SEND = `mosquitto_pub -q 1 -t pm/1/acme.pump1/up/t/live -m '{"d":{"temp":41.9}}'`;
const REGISTER = 'forewarn device add acme.pump1\nforewarn-agent run edge.toml';

export function Nothing() {
  const { t } = useTranslation();
  const { data: session } = useSession();
  return (
    <div className="card">
      <Text fw={600}>{t('board.none')}</Text>
      <Text size="sm" c="dimmed">{t('board.noneHint')}</Text>
      {session && isStaff(session.role) && (
        <>
          <Text size="sm" mt={8}>{t(session.trial ? 'board.noneTrial' : 'board.noneStaff')}</Text>
          <pre className="command">{session.trial ? SEND : REGISTER}</pre>
        </>
      )}
    </div>
  );
}
