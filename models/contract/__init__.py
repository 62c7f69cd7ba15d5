"""The words that devices and cloud share: topics, messages, codecs, errors."""
