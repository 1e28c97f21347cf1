"""Small tools that know nothing of servers, mods or the cache."""
