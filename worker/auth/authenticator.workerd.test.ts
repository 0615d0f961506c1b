/** The authenticator with workerd's cryptography. */
import './authenticator.test.ts';
