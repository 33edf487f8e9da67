// Package safetensors reads and writes safetensors files: named tensors, and nothing that could run.
//
// # The format
//
// A file is three parts, without gaps:
//
//   - 8 bytes: the length of the header, unsigned, little endian, at most 100,000,000;
//   - the header: a JSON object in UTF-8, which may be padded with white space;
//   - the data: the tensors' bytes, little endian, row-major.
//
// The header maps each tensor's name to its element type, its shape and the bytes it has, counted from the start of the data:
//
//	{"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
//
// The key __metadata__ is optional and maps strings to strings. The tensors cover the data exactly: no hole, no overlap, nothing behind
// the last one. A scalar has the shape []; a tensor with a dimension of 0 has no bytes. Sub-byte elements (F4, F6_E2M3, F6_E3M2) are
// packed, the shape counts elements, and a tensor of them must fill whole bytes.
//
// # Reading
//
// [Open] takes nothing in the header on trust. Its length is held against the file's size before it is read, and what it says of a
// tensor against the tensor's type, shape, neighbours and the file. It reads what the reference implementation (the Rust crate of the
// same name) reads: a field that the format does not know is passed over, white space may stand before the '{', __metadata__ may be
// null, and a shape with a 0 may have any other lengths. What stays refused, although the reference lets it pass:
//
//   - a name, or a key of __metadata__, that is given twice: the reference takes the last, others the first;
//   - a tensor's object written as an array of its fields' values, which no other reader knows;
//   - lengths and offsets over 2^63-1, which do not fit Go's int or a file's offset.
//
// Data is read by position, in pieces of the caller's choice, and never mapped: a file may be larger than memory, and one that
// shrinks while it is read is an error, not a fault. What is allocated is at most twice and a half the header that the file really has:
// names and shapes lie in the text that was read, as long as it has no escapes.
//
// # Writing
//
// [Create] lays the header out and gives a [Writer] that takes the tensors' bytes in pieces, in any order, from any number of
// goroutines. They go to a file beside the target, which [Writer.Commit] renames: the target appears whole or not at all.
// The same metadata, tensors and bytes give the same file.
//
// Every error about a file is an [*Error], one line that names file, tensor and reason.
package safetensors
