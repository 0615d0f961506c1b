/** The grammar of `columns` and `on_conflict`: names. */

import { fieldName } from './field.ts';
import { character, lexeme, separated } from './parsec.ts';

export const columnNames = separated(fieldName, lexeme(character(',')));
