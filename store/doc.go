// Package store keeps what must outlive the process in one bbolt file: tokens,
// refresh intents, open authorization flows, logout marks, client registrations
// and a bounded journal for each upstream.
//
// It promises that what a method has written is on disk (fsync) when it returns,
// and that writes that come within a millisecond of each other share their fsyncs
// (bbolt's batches); that each method is made whole or not at all, so that no reader
// and no crash sees half of it; that all records and the journals are
// encrypted (AES-256-GCM) with a key that is not in the file; that the file has the mode 0600,
// and a directory that is made for it 0700; that only one process has it open for writing, and that a
// second one is told which; and that a damaged or foreign file is named and left as
// it is.
//
// It knows nothing of the state graph and reads no clock of its own but to say
// since when the file is held.
package store
