/** Who may talk to the server: this machine's user, from the page itself. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';

export interface GuardOptions {
  /** The word that the address has which the command prints. */
  readonly token: string;
  readonly port: number;
  /** Names and addresses of this machine beside the loopback ones, where `--host` asks for others. */
  readonly hosts: readonly string[];
}

/** The one address that changes something; it takes POST. */
export const WRITING = '/api/drop-list';

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

/** No page may hold anything but files of this server, and no script that stands in a page. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/**
 * Refuses what another site could send by the user's browser: a foreign name of this machine (DNS rebinding), a foreign
 * origin, a missing token. The token comes once in the address and stays in a cookie that no other site can send.
 */
export function guard({ token, port, hosts }: GuardOptions): MiddlewareHandler {
  const names = [...LOOPBACK, ...hosts.map(hostWords)].flatMap((name) =>
    port === 80 ? [name, `${name}:80`] : [`${name}:${port}`],
  );
  const cookie = `anatomy-${port}`;
  return async (context, next) => {
    const { req } = context;
    const writes = req.raw.method === 'POST' && req.path === WRITING;
    if (!writes && req.raw.method !== 'GET') return context.text('This server only answers GET.\n', 405);
    const host = (req.header('host') ?? '').toLowerCase();
    if (!names.includes(host)) {
      return context.text(
        `The name ${JSON.stringify(host)} is none of this server's; open the address that anatomy serve printed.\n`,
        403,
      );
    }
    const origin = req.header('origin');
    // A browser sends the origin with whatever writes, and a form of another site cannot send JSON.
    const isForm = writes && req.header('content-type') !== 'application/json';
    const isForeign = origin === undefined ? writes : !names.includes(origin.replace(/^http:\/\//, ''));
    if (isForm || isForeign) {
      return context.text('Pages of other sites may not ask this server.\n', 403);
    }
    context.header('Content-Security-Policy', PAGE_POLICY);
    context.header('X-Content-Type-Options', 'nosniff');
    context.header('Referrer-Policy', 'no-referrer');
    context.header('Cross-Origin-Resource-Policy', 'same-origin');
    context.header('Cache-Control', 'no-store');
    const asked = req.query('token');
    if (asked !== undefined && same(asked, token)) {
      setCookie(context, cookie, token, { httpOnly: true, sameSite: 'Strict', path: '/' });
      const address = new URL(req.url);
      address.searchParams.delete('token');
      return context.redirect(`${address.pathname}${address.search}`, 302);
    }
    if (!same(getCookie(context, cookie) ?? '', token)) {
      return context.text('This needs a token: open the address that anatomy serve printed.\n', 401);
    }
    return next();
  };
}

/** An address as it stands in URLs and Host headers. */
export function hostWords(host: string): string {
  return host.includes(':') ? `[${host.toLowerCase()}]` : host.toLowerCase();
}

function same(one: string, other: string): boolean {
  const digest = (word: string) => createHash('sha256').update(word).digest();
  return timingSafeEqual(digest(one), digest(other));
}
