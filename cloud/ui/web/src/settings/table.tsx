import type { ReactNode } from 'react';
import classes from '../pages/settings.module.css';

export interface Row {
  key: string | number;
  cells: ReactNode[];
}

/** A table that can be reached by keys; on a phone its rows stand one below another, each cell behind its column's name. */
export function Table({ label, columns, rows }: {
  label: string;
  columns: string[];
  rows: Row[];
}) {
  return (
    <div className={classes.scroll} tabIndex={0} role="region" aria-label={label}>
      <table className={`grid small ${classes.table}`}>
        <thead><tr>{columns.map((one) => <th key={one} scope="col">{one}</th>)}</tr></thead>
        <tbody>
          {rows.map(({ key, cells }) => (
            <tr key={key}>
              {columns.map((one, n) => <td key={one} data-column={one}><div className={classes.cell}>{cells[n]}</div></td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
