import type { ReactNode } from 'react';
import classes from '../pages/settings.module.css';

/** A table that scrolls sideways on a phone, its buttons always in sight, and can be reached by keys. */
export function Table({ label, columns, children }: {
  label: string;
  columns: string[];
  children: ReactNode;
}) {
  return (
    <div className={classes.scroll} tabIndex={0} role="region" aria-label={label}>
      <table className="grid small">
        <thead><tr>{columns.map((one) => <th key={one} scope="col">{one}</th>)}</tr></thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
