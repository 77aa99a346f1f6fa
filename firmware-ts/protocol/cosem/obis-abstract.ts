/**
 * Objects with a meaning of their own, by `A:C.D.E` (IEC 62056-6-1, IEC 62056-6-2); those with a
 * comment after a companion specification.
 */
export const ABSTRACT_OBJECTS: Readonly<Record<string, string>> = {
  '0:1.0.0': 'clock',
  '0:2.0.0': 'modem configuration',
  '0:2.1.0': 'auto connect',
  '0:2.2.0': 'auto answer',
  '0:10.0.0': 'global meter reset scripts',
  '0:10.0.100': 'tariffication scripts',
  '0:10.0.106': 'disconnect scripts',
  '0:10.0.107': 'image activation scripts',
  '0:10.0.108': 'push scripts',
  '0:11.0.0': 'special days',
  '0:12.0.0': 'schedule',
  '0:13.0.0': 'activity calendar',
  '0:14.0.0': 'register activation',
  '0:15.0.0': 'end of billing period',
  '0:15.0.1': 'disconnect schedule',
  '0:15.0.2': 'image activation schedule',
  '0:17.0.0': 'limiter',
  '0:20.0.0': 'local port',
  '0:22.0.0': 'HDLC setup',
  '0:24.1.0': 'M-Bus client',
  '0:25.0.0': 'TCP-UDP setup',
  '0:25.1.0': 'IPv4 setup',
  '0:25.2.0': 'MAC address',
  '0:25.3.0': 'PPP setup',
  '0:25.4.0': 'GPRS setup',
  '0:25.6.0': 'GSM diagnostic',
  '0:25.7.0': 'IPv6 setup',
  '0:25.9.0': 'push',
  '0:40.0.0': 'current association',
  '0:41.0.0': 'logical devices',
  '0:42.0.0': 'logical device name',
  '0:43.0.0': 'security setup',
  '0:43.1.0': 'invocation counter',
  '0:44.0.0': 'image transfer',
  '0:96.1.0': 'device identifier 1',
  '0:96.1.1': 'device identifier 2',
  '0:96.3.10': 'disconnect control',
  '0:96.7.21': 'power failures',
  '0:96.7.9': 'long power failures',
  '0:96.14.0': 'active tariff',
  '0:97.97.0': 'error register',
  '0:97.98.0': 'alarm register',
  '0:98.1.0': 'billing profile',
  '1:99.1.0': 'load profile 1',
  '1:99.2.0': 'load profile 2',
  '1:99.97.0': 'power failure log',
  '0:96.13.0': 'text message', // DSMR 5.0 P1
  '0:24.2.1': 'M-Bus value 1', // DSMR 5.0 P1, IDIS
  '0:24.3.0': 'M-Bus profile', // IDIS
  '0:99.98.0': 'standard event log', // IDIS
  '0:99.98.1': 'fraud event log', // IDIS
  '1:0.2.0': 'firmware version',
};
