import { Button, Code, CopyButton, Group, Modal, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';

/** Something that is shown this once. */
export function SecretDialog({ title, hint, secret, close }: {
  title: string;
  hint: string;
  secret: string | null;
  close: () => void;
}) {
  const { t } = useTranslation();
  return (
    <Modal opened={secret !== null} onClose={close} title={title} closeButtonProps={{ 'aria-label': t('common.close') }}>
      <Text size="sm" mb="sm">{hint}</Text>
      <Code block className="break" style={{ whiteSpace: 'pre-wrap' }} data-secret>{secret}</Code>
      <Group justify="flex-end" mt="md">
        <CopyButton value={secret ?? ''}>
          {({ copied, copy }) => (
            <Button variant="default" onClick={copy}>{copied ? t('common.copied') : t('common.copy')}</Button>
          )}
        </CopyButton>
        <Button onClick={close}>{t('common.done')}</Button>
      </Group>
    </Modal>
  );
}
