import { obisText } from '#protocol/cosem/obis.ts';
import { MECHANISM, decodeAare, decodeAarq } from '#protocol/dlms/acse.ts';
import { ACTION_REQUEST, ACTION_RESPONSE } from '#protocol/dlms/action.ts';
import { APDU_TAG, apduName } from '#protocol/dlms/apdu-tags.ts';
import { diagnosticWord } from '#protocol/dlms/client/diagnostics.ts';
import type { AttributeDescriptor } from '#protocol/dlms/data.ts';
import { decodeExceptionResponse, exceptionWords } from '#protocol/dlms/errors.ts';
import { GET_REQUEST, GET_RESPONSE } from '#protocol/dlms/get.ts';
import { actionWord, dataAccessWord } from '#protocol/dlms/results.ts';
import type { MethodDescriptor } from '#protocol/dlms/service.ts';
import { SET_REQUEST, SET_RESPONSE } from '#protocol/dlms/set.ts';
import { dataText } from '../meter/data-text.ts';
import type { Facts } from './line.ts';

/** What an APDU of a session between a client and a server says; errors: those of its decoder. */
export function describedApdu(apdu: Uint8Array): Facts {
  switch (apdu[0]) {
    case APDU_TAG.aarq:
      return describedAarq(apdu);
    case APDU_TAG.aare:
      return describedAare(apdu);
    case APDU_TAG.getRequest:
    case APDU_TAG.setRequest:
    case APDU_TAG.actionRequest:
      return describedRequest(apdu);
    case APDU_TAG.getResponse:
      return describedGet(apdu);
    case APDU_TAG.setResponse:
      return describedSet(apdu);
    case APDU_TAG.actionResponse:
      return describedAction(apdu);
    case APDU_TAG.exceptionResponse: {
      const why = exceptionWords(decodeExceptionResponse(apdu));
      return { frame: 'exception-response', why };
    }
    default:
      return { frame: hyphened(apduName(apdu[0] ?? 0)) };
  }
}

function hyphened(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function describedAarq(apdu: Uint8Array): Facts {
  const { applicationContextName, mechanismName = MECHANISM.lowest } = decodeAarq(apdu);
  const [mechanism] = Object.entries(MECHANISM).find(([, leaf]) => leaf === mechanismName) ?? [];
  return { frame: 'aarq', context: applicationContextName, mechanism: mechanism ?? mechanismName };
}

function describedAare(apdu: Uint8Array): Facts {
  const aare = decodeAare(apdu);
  const result = aare.result === 0 ? 'accepted' : 'rejected';
  return { frame: 'aare', result, diagnostic: diagnosticWord(aare) };
}

function describedRequest(apdu: Uint8Array): Facts {
  const request = requestIn(apdu);
  if ('attribute' in request) return { frame: request.kind, attribute: attributeText(request) };
  if ('method' in request) return { frame: request.kind, method: methodText(request.method) };
  if ('attributes' in request) {
    return { frame: request.kind, attributes: request.attributes.map(attributeText) };
  }
  if ('methods' in request)
    return { frame: request.kind, methods: request.methods.map(methodText) };
  const block = 'datablock' in request ? request.datablock : undefined;
  const blockNumber = 'blockNumber' in request ? request.blockNumber : block?.blockNumber;
  return { frame: request.kind, ...(blockNumber === undefined ? {} : { blockNumber }) };
}

function requestIn(apdu: Uint8Array) {
  if (apdu[0] === APDU_TAG.getRequest) return GET_REQUEST.decode(apdu);
  return apdu[0] === APDU_TAG.setRequest ? SET_REQUEST.decode(apdu) : ACTION_REQUEST.decode(apdu);
}

function attributeText({ attribute }: { readonly attribute: AttributeDescriptor }): string {
  const { classId, instanceId, attributeId } = attribute;
  return `${classId}/${obisText(instanceId)}/${attributeId}`;
}

function methodText({ classId, instanceId, methodId }: MethodDescriptor): string {
  return `${classId}/${obisText(instanceId)}/${methodId}`;
}

function describedGet(apdu: Uint8Array): Facts {
  const response = GET_RESPONSE.decode(apdu);
  const frame = response.kind;
  switch (response.kind) {
    case 'get-response-normal':
      return { frame, ...valueOf(response.result) };
    case 'get-response-with-list':
      return { frame, values: response.results.map((result) => Object.values(valueOf(result))[0]) };
    case 'get-response-with-datablock': {
      const { blockNumber, lastBlock, result } = response.result;
      const held =
        result.kind === 'raw-data'
          ? { bytes: result.rawData.length }
          : { result: dataAccessWord(result.result) };
      return { frame, blockNumber, lastBlock, ...held };
    }
  }
}

type GetResult = Extract<
  ReturnType<typeof GET_RESPONSE.decode>,
  { kind: 'get-response-normal' }
>['result'];

function valueOf(result: GetResult): Readonly<Record<string, string>> {
  if (result.kind === 'data') return { value: dataText(result.data) };
  return { result: dataAccessWord(result.result) };
}

function describedSet(apdu: Uint8Array): Facts {
  const response = SET_RESPONSE.decode(apdu);
  if ('result' in response)
    return { frame: response.kind, result: dataAccessWord(response.result) };
  if (!('results' in response)) return { frame: response.kind, blockNumber: response.blockNumber };
  return { frame: response.kind, results: response.results.map(dataAccessWord) };
}

function describedAction(apdu: Uint8Array): Facts {
  const response = ACTION_RESPONSE.decode(apdu);
  if (!('single' in response)) return { frame: response.kind };
  const { result, returnParameters } = response.single;
  const returned =
    returnParameters?.kind === 'data' ? { value: dataText(returnParameters.data) } : {};
  return { frame: response.kind, result: actionWord(result), ...returned };
}
