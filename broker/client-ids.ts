import type { Client } from "aedes";

/** Client ids of who is here or is being let in, and whose they are. */
export class ClientIds {
  readonly #ids = new Map<string, { user: string; clients: Set<Client> }>();

  /** The user whose id it is; undefined when nobody is here under it. */
  ownerOf(id: string): string | undefined {
    return this.#ids.get(id)?.user;
  }

  /** Notes a client of an id's owner, or of its first user; several may be here while one takes the place of another. */
  enter(client: Client, user: string): void {
    const known = this.#ids.get(client.id);
    if (known) known.clients.add(client);
    else this.#ids.set(client.id, { user, clients: new Set([client]) });
  }

  leave(client: Client): void {
    const known = this.#ids.get(client.id);
    if (known?.clients.delete(client) && known.clients.size === 0) this.#ids.delete(client.id);
  }

  /** Closes every connection of a user. */
  closeAll(user: string): void {
    for (const one of this.#ids.values())
      if (one.user === user) for (const client of one.clients) client.close();
  }
}
