import { Anchor, Stack, Text, Title } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

export default function Missing() {
  const { t } = useTranslation();
  return (
    <Stack gap="xs" maw={520}>
      <Title order={1}>{t('common.gone')}</Title>
      <Text>{t('common.goneHint')}</Text>
      <Anchor component={Link} to="/">{t('common.home')}</Anchor>
    </Stack>
  );
}
