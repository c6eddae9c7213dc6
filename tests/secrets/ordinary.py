"""Texts of ordinary traffic, in which nothing is a secret, though much looks like one."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import uuid

__all__ = ["ORDINARY"]

_RANDOM = random.Random(21)
_IMAGE = base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + _RANDOM.randbytes(3000)).decode()
_DIGEST = hashlib.sha256(b"file").hexdigest()
_SUM = base64.b64encode(hashlib.sha512(b"package").digest()).decode()
_ID = uuid.UUID(bytes=_RANDOM.randbytes(16), version=4)

# By name; each is a line, unless it says otherwise
ORDINARY: dict[str, str] = {
    "password policy": "The password policy: a password has 12 characters, no secret question, and a token expires after 1 h.",
    "question": "How do I pass the API key to the client? My token: is it in the header or a cookie? auth=none for now",
    "prose of secrets": "Secret management: rotate the secret key every 90 days; the access token is then refreshed.",
    "names of cookies": "Cookies: we set a session cookie and a csrf-token cookie; Authorization is Bearer or Basic.",
    "long words": "Donaudampfschifffahrtsgesellschaftskapitaen antidisestablishmentarianism pneumonoultramicroscopic",
    "other languages": "Das Passwort: bitte ändern. 密码: 请更改密码. Mot de passe : à changer. Пароль: изменить.",
    "usage": json.dumps({"usage": {"input_tokens": 2095, "output_tokens": 503, "cache_read_input_tokens": 10_240}}),
    "limits": json.dumps({"max_tokens": 8192, "max_completion_tokens": 512, "budget_tokens": 1024, "token_count": 17}),
    "token counts": "max_tokens=8192 n_tokens=512 tokens: 17 total_tokens=2598 input_tokens=2095 stop_token=<|endoftext|>",
    "tokenizer": json.dumps({"bos_token": "<s>", "eos_token": "</s>", "pad_token": "[PAD]", "token_type": "Bearer"}),
    "pages": json.dumps(
        {"next_page_token": "CAoQAA2f7K1xY9", "nextPageToken": "EAAaBlBUOkNBVQ7x1", "sync_token": "s72594_4483_19"}
    ),
    "schema": json.dumps({"properties": {"password": {"type": "string"}, "api_key": {"type": "string", "minLength": 20}}}),
    "form of a page": '<label for="password">Password:</label> <input type="password" name="password" id="token" value="">',
    "placeholders": '-- api_key="YOUR_API_KEY" password=<password> token=${TOKEN} secret={{ s }} Authorization: Bearer <token>',
    "placeholders in urls": "/a?key=${key}&token={token}&secret=$SECRET&api_key={{key}}&password=<pass> me:${PASSWORD}@host",
    "placeholders in commands": "vault login $TOKEN && mysql -p${PASS} && sshpass -p <password> ssh h && echo $X | sudo -S id",
    "names in code": "password = userInput, secret: getSecretValue(name), token: nextToken, {password: formValue, apiKey}",
    "table of names": "| name | type | password |\n|---|---|---|\n| user | string | required |\n| token | string | optional |",
    "commands without secrets": "mkdir -p build/x64 && docker run -u 100:100 -p 80:80 app:v2; git log -p 9fceb02d0ae5",
    "logins": "vault login -method=oidc; docker login; npm login --registry https://host; redis-cli auth; cargo login",
    "environment": 'export OPENAI_API_KEY="$OPENAI_API_KEY" ANTHROPIC_API_KEY=$KEY TOKEN=$(cat token) PASSWORD=${PASSWORD:-}',
    "code": 'token = self._next_token(); if token.kind == "name": password = getpass("Password: "); key = row["key"]',
    "typescript": "const token = useToken(); type Props = { token: string; secret?: string; password: string | null };",
    "rust": 'let key: &str = map.get("key").unwrap(); let token = tokens.next()?; assert_eq!(token, Token::Ident("x"));',
    "sql": "SELECT token, secret_key FROM users WHERE password = $1 AND session_id = :session ORDER BY created_at",
    "search": "rg -n 'password|secret|api[_-]?key|token=' src && grep -r \"Authorization: Bearer\" docs | head -20",
    "arguments": "pytest -k test_token_auth --maxfail=1 -p no:cacheprovider && cargo build --features token-auth --keep-going",
    "git": "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 (tag: v1.2.3), tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "git url": "git clone git@github.com:owner/repository.git && git push ssh://git@host:2222/srv/repository.git main:main",
    "urls": "https://host:8443/a/b?page=2&sort=key&limit=10#token https://docs/key=value?q=what+is+an+api+key&keyword=secret",
    "addresses": "me@example.com, http://[::1]:8080/ and redis://localhost:6379/0, at 12:34:56 with ratio 3:4@2x",
    "digests": f'sha256:{_DIGEST} md5:{_DIGEST[:32]} integrity sha512-{_SUM} etag W/"{_DIGEST[:20]}"',
    "ids": f"{_ID} {_ID.hex} msg_01XFDUDYJgAACzvnptvVoYEL toolu_01A09q90qw90lq917835lq9 req_011CSHoEeqs5C35K2UUqR7Fy",
    "versions": "claude-sonnet-4-20250514 gpt-4o-2024-08-06 sk-learn-1.5.2 task-force-2024-report risk-v2 hf_hub_download",
    "base64 words": "LongName9 getAccessTokenFromSessionStorageOrThrow ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "image": json.dumps({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _IMAGE}}),
    "image in a url": f"data:image/png;base64,{_IMAGE}",
    "encoded text": base64.b64encode(
        b"The quick brown fox jumps over the lazy dog, and the password policy says no more."
    ).decode(),
    "encoded code": "path=%2Fsrc%2Fauth%2Ftoken.py&message=Fix%20the%20token%3A%20it%20is%20a%20key%26value%20now&n=%E2%9C%93",
    "escapes": '"\\u003ctoken\\u003e \\u0022key\\u0022: \\u0027none\\u0027 \\u001b[1mpassword\\u001b[0m"',
    "json in json": json.dumps(json.dumps({"key": "value", "tokens": [1, 2, 3], "password_hint": "", "secret": None})),
    "key of a map": json.dumps(
        {"key": "ArrowDown", "code": "KeyA", "public_key": "main", "primary_key": "id", "sort_key": "name"}
    ),
    "public key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@host",
    "certificate": "-----BEGIN CERTIFICATE-----\nMIIBhTCCASugAwIBAgIQIRi6zePL6mKjOipn+dNuaTAK\n-----END CERTIFICATE-----",
    "mention of a key": "Never commit a file with -----BEGIN PRIVATE KEY----- in it, nor one that begins with AKIA or ghp_.",
    "amounts": "0x7ffd5e8b3c40 1,234,567 3.14159265358979 1e-9 2026-11-27T00:10:23.456789Z aa:bb:cc:dd:ee:ff",
    "diff": "@@ -10,7 +10,7 @@ def token(self):\n-    key = None\n+    key = self.key\n     return key",
    "configuration": "[auth]\nenabled = true\ntoken_ttl = 60\nsecret_name = app-credentials\npassword_file = /run/secrets/db\n",
}
