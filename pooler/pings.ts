import type { WebSocket } from 'ws';

/** Answers to pings that may be on their way to a client. */
const most = 100;

/**
 * Answers a WebSocket's pings, of one that was made without autoPong. Whoever asks and does not listen would fill the memory with answers:
 * there is one to the latest pings only, as RFC 6455 allows (section 5.5.3).
 */
export function answerPings(socket: WebSocket): void {
  let answering = 0;
  const answered = (): void => {
    answering--;
  };
  socket.on('ping', (data) => {
    if (answering >= most || socket.readyState !== socket.OPEN) return;
    answering++;
    socket.pong(data, false, answered);
  });
}
