import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import en from './en.json';
import zh from './zh.json';
import { pseudo } from './pseudo';

export const LANGUAGES = { en: 'English', 'zh-CN': '简体中文' } as const;
export type Language = keyof typeof LANGUAGES;
const PSEUDO = 'qps';

/** A language is a choice kept in the browser; `?lang=` is for a look (and for the pseudo-locale). */
function chosen(): string {
  const asked = new URLSearchParams(location.search).get('lang');
  if (asked === PSEUDO || (asked && Object.hasOwn(LANGUAGES, asked))) return asked;
  const kept = localStorage.getItem('forewarn.language');
  if (kept && Object.hasOwn(LANGUAGES, kept)) return kept;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
}

/** Says which text of a title to show: catalogues say zh-CN, data says zh. */
export const textLanguage = (language: string): 'zh' | 'en' =>
  language.startsWith('zh') ? 'zh' : 'en';

export async function startI18n(): Promise<void> {
  const language = chosen();
  await i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: false,
    resources: {
      en: { translation: en },
      'zh-CN': { translation: zh },
      ...(language === PSEUDO ? { [PSEUDO]: { translation: pseudo(en) } } : {}),
    },
    interpolation: { escapeValue: false }, // React escapes
    returnNull: false,
  });
  document.documentElement.lang = language === PSEUDO ? 'en' : language;
}

export async function setLanguage(language: Language): Promise<void> {
  localStorage.setItem('forewarn.language', language);
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
}
