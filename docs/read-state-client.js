// A client that always knows the read state of its user (docs/sync.md). `socket` is one of Socket.IO's,
// opened with `auth: {token, badge: true}`; `onChange` is called after each change.
//
//   const state = new ReadState(io(url, { auth: { token, badge: true } }), () => show(state.badge, state.rooms));
//
// Keep `version`, `badge` and `rooms` together, and a client that starts again need not begin anew.

export class ReadState {
  constructor(socket, onChange, { version = "", badge = 0, rooms = new Map() } = {}) {
    Object.assign(this, { socket, onChange, version, badge, rooms, kept: [], asking: 0 });
    socket.on("connect", () => this.ask());
    socket.on("sync", () => this.ask());
    socket.on("badge", (event) => (this.asking ? this.kept.push(event) : this.follow(event)));
    if (socket.connected) this.ask();
  }

  // Ask until there is no more. A later call, as after a reconnection, ends an earlier one.
  async ask() {
    const mine = (this.asking = Math.random());
    this.kept = [];
    for (let more = true; more; ) {
      const answer = await this.once({ since: this.version });
      if (this.asking !== mine) return;
      if (answer) more = this.take(answer);
      else if (!this.socket.connected) return; // `connect` asks again
    }
    this.asking = 0;
    const kept = this.kept.splice(0);
    for (const event of kept) this.asking ? this.kept.push(event) : this.follow(event);
    this.onChange();
  }

  // One question: its result, or nothing when it has to be asked again.
  async once(question) {
    try {
      const answer = await this.socket.timeout(5000).emitWithAck("sync", question);
      if (answer.RC === 0) return answer.result;
      await new Promise((done) => setTimeout(done, (answer.retryAfter ?? 1) * 1000));
    } catch {} // no answer in time
  }

  take({ snapshot, version, badge, rooms, removed, more }) {
    if (snapshot) this.rooms.clear();
    for (const room of removed) this.rooms.delete(room);
    for (const room of rooms) this.rooms.set(room._id, room);
    Object.assign(this, { version, badge });
    return more;
  }

  follow({ since, version, badge, room, unread, tags, removed }) {
    if (Number(version) <= Number(this.version)) return; // it is known already
    if (Number(since) > Number(this.version)) return void this.ask(); // something was missed
    if (removed) this.rooms.delete(room);
    else this.rooms.set(room, { ...this.rooms.get(room), _id: room, unread, roomTags: tags });
    Object.assign(this, { version, badge });
    this.onChange();
  }
}
