import { Alert, Button, Group, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Component, type ReactNode } from 'react';
import { ApiError } from '../api/client';
import Missing from '../pages/missing';

/** Says in the reader's words what went wrong, with what the service said below. */
export function Problem({ error, retry }: { error: unknown; retry?: () => void }) {
  const { t } = useTranslation();
  const gone = error instanceof ApiError && error.problem.status === 404;
  const stale = error instanceof ApiError && error.problem.status === 412;
  const title = gone ? t('common.gone') : t('common.error');
  const words = stale ? t('common.changed') : gone ? t('common.goneHint') : '';
  const detail = error instanceof ApiError ? error.problem.detail : String(error);
  return (
    <Alert color="red" variant="light" title={title} role="alert">
      {words && <Text size="sm">{words}</Text>}
      <Text size="sm" className="break">{detail}</Text>
      {retry && (
        <Group mt="xs">
          <Button variant="default" size="xs" onClick={retry}>{t('common.retry')}</Button>
        </Group>
      )}
    </Alert>
  );
}

/** What is wrong with a whole page; one that is not there says so as any address does. */
export function PageProblem({ error }: { error: unknown }) {
  return error instanceof ApiError && error.problem.status === 404 ? <Missing /> : <Problem error={error} />;
}

interface State {
  error: unknown;
}

/** Keeps the shell when a page fails. */
export class Failing extends Component<{ children: ReactNode }, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: unknown): State {
    return { error };
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    return <Problem error={this.state.error} retry={() => location.reload()} />;
  }
}
