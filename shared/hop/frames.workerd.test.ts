/** The hop's messages with workerd's encoders and streams. */
import './frames.test.ts';
