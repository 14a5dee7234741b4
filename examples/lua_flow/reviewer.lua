return #_PROMPT <= 60 and "PASS" or "FIX"
