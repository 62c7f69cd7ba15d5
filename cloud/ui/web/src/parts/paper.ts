/** Says whether the page is being printed: paper has other colours, and shows what a screen scrolls to. */
import { useEffect, useState } from 'react';
import { flushSync } from 'react-dom';

export function usePaper(): boolean {
  const [paper, setPaper] = useState(false);
  useEffect(() => {
    const begin = () => flushSync(() => setPaper(true)); // before the browser takes its picture
    const end = () => setPaper(false);
    addEventListener('beforeprint', begin);
    addEventListener('afterprint', end);
    return () => {
      removeEventListener('beforeprint', begin);
      removeEventListener('afterprint', end);
    };
  }, []);
  return paper;
}
