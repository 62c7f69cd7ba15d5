/** Accounts of people, for administrators. */
import { Button, Group, NativeSelect, Switch, TextInput } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Outdated } from '../api/client';
import { useChangeUser, useInvite, useInviteAgain, useUsers, type User } from '../api/admin';
import type { Role } from '../api/session';
import { BusyButton } from '../parts/busy';
import { FormDialog } from '../parts/dialog';
import { Problem } from '../parts/failing';
import { useFormats } from '../parts/format';
import { useNotice } from '../parts/notice';
import { Waiting } from '../parts/waiting';
import classes from '../pages/settings.module.css';
import { SecretDialog } from './secret';
import { Table } from './table';

const ROLES: Role[] = ['administrator', 'planner', 'engineer', 'customer'];

interface Form {
  name: string;
  full_name: string;
  role: Role;
  customer: string;
  sites: string;
  active: boolean;
}

const EMPTY: Form = { name: '', full_name: '', role: 'planner', customer: '', sites: '', active: true };

function Fields({ form, set, known }: { form: Form; set: (part: Partial<Form>) => void; known: boolean }) {
  const { t } = useTranslation();
  return (
    <>
      <TextInput
        label={t('users.name')} description={t('users.nameHint')} value={form.name} disabled={known} required={!known}
        maxLength={64} pattern="[A-Za-z0-9][A-Za-z0-9._@+\-]*" data-autofocus
        onChange={(event) => set({ name: event.currentTarget.value })}
      />
      <TextInput
        label={t('users.fullName')} value={form.full_name} maxLength={200}
        onChange={(event) => set({ full_name: event.currentTarget.value })}
      />
      <NativeSelect
        label={t('users.role')} value={form.role} onChange={(event) => set({ role: event.currentTarget.value as Role })}
        data={ROLES.map((value) => ({ value, label: t(`role.${value}`) }))}
      />
      {form.role === 'customer' && (
        <>
          <TextInput
            label={t('users.customer')} description={t('users.customerHint')} required value={form.customer} maxLength={31}
            pattern="[a-z0-9][a-z0-9\-]*" onChange={(event) => set({ customer: event.currentTarget.value })}
          />
          <TextInput
            label={t('users.sites')} description={t('users.sitesHint')} value={form.sites}
            onChange={(event) => set({ sites: event.currentTarget.value })}
          />
        </>
      )}
      {known && (
        <Switch
          label={t('users.active')} checked={form.active}
          onChange={(event) => set({ active: event.currentTarget.checked })}
        />
      )}
    </>
  );
}

const formOf = (user: User): Form => ({
  name: user.name,
  full_name: user.full_name ?? '',
  role: user.role,
  customer: user.customer ?? '',
  sites: user.sites.join(', '),
  active: user.active,
});

const bodyOf = (form: Form) => ({
  role: form.role,
  full_name: form.full_name.trim() || null,
  customer: form.role === 'customer' ? form.customer.trim() : null,
  sites: form.role === 'customer' ? form.sites.split(',').map((one) => one.trim()).filter(Boolean) : [],
});

function UserDialog({ user, close, shown }: {
  user: User | null;
  close: () => void;
  shown: (link: string) => void;
}) {
  const { t } = useTranslation();
  const invite = useInvite();
  const change = useChangeUser();
  const [seen, setSeen] = useState(user); // what the form was made of, however the list behind it moves on
  const [form, setForm] = useState<Form>(user ? formOf(user) : EMPTY);
  const sending = useRef<AbortController>(null);
  useEffect(() => () => sending.current?.abort(), []); // who leaves gives up what is under way
  const save = () => {
    sending.current = new AbortController();
    const { signal } = sending.current;
    if (seen) {
      change.mutate(
        { user: seen, body: { ...bodyOf(form), active: form.active }, signal },
        {
          onSuccess: close,
          onError: (error) => {
            if (!(error instanceof Outdated)) return;
            setSeen(error.now);
            setForm(formOf(error.now));
          },
        },
      );
      return;
    }
    invite.mutate(
      { body: { ...bodyOf(form), name: form.name.trim() }, signal },
      {
        onSuccess: (done) => {
          close();
          shown(done.link);
        },
      },
    );
  };
  return (
    <FormDialog
      title={user ? t('users.change') : t('users.add')} does={t('common.save')} ready close={close} submit={save}
      busy={invite.isPending || change.isPending} refused={invite.error ?? change.error ?? undefined}
    >
      <Fields form={form} set={(part) => setForm({ ...form, ...part })} known={user !== null} />
    </FormDialog>
  );
}

export function Users() {
  const { t } = useTranslation();
  const formats = useFormats();
  const { fail } = useNotice();
  const { data, error } = useUsers();
  const again = useInviteAgain();
  const [edited, setEdited] = useState<string | null>(null); // an id, or '' for somebody new
  const [link, setLink] = useState<string | null>(null);
  if (!data) return error ? <Problem error={error} /> : <Waiting />;
  return (
    <section className={`card ${classes.types}`}>
      <Group justify="space-between">
        <h2>{t('settings.users')}</h2>
        <Button size="xs" onClick={() => setEdited('')}>{t('users.add')}</Button>
      </Group>
      <Table
        label={t('settings.users')}
        columns={[t('users.name'), t('users.role'), t('users.state'), t('users.signedIn'), t('users.actions')]}
        rows={data.map((one) => ({
          key: one.id,
          cells: [
            <><span className="strong">{one.name}</span> <span className="dim">{one.full_name}</span></>,
            <>{t(`role.${one.role}`)}{one.customer && <span className="dim"> · {one.customer}</span>}</>,
            !one.active ? t('users.off') : one.has_password ? t('users.active') : t('users.invited'),
            <span className="nowrap">{one.signed_in ? formats.moment(one.signed_in) : t('ago.never')}</span>,
            <Group gap={6}>
              <Button size="compact-sm" variant="default" onClick={() => setEdited(one.id)}>{t('users.change')}</Button>
              <BusyButton
                size="compact-sm" variant="default" off={!one.active}
                busy={again.isPending && again.variables.id === one.id}
                onClick={() => again.mutate(one, { onSuccess: (done) => setLink(done.link), onError: fail })}
              >
                {t('users.link')}
              </BusyButton>
            </Group>,
          ],
        }))}
      />
      {edited !== null && (
        <UserDialog user={data.find((one) => one.id === edited) ?? null} close={() => setEdited(null)} shown={setLink} />
      )}
      <SecretDialog title={t('users.link')} hint={t('users.linkHint')} secret={link} close={() => setLink(null)} />
    </section>
  );
}
