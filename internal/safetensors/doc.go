// Package safetensors reads and writes safetensors files: named tensors, and nothing that could run.
//
// # The format
//
// A file is three parts, without gaps:
//
//   - 8 bytes: the length of the header, unsigned, little endian, at most 100,000,000;
//   - the header: a JSON object in UTF-8, which begins with '{' and may be padded with white space at its end;
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
// [Open] takes nothing in the header on trust. Its length is held against the file's size before it is read; names given twice, unknown
// or missing fields, numbers that are negative, fractional or too large, and ranges that do not fit shape, neighbours or file are
// errors. This is stricter than the reference implementation (the Rust crate of the same name), which lets pass a name given twice, an
// unknown field, white space before the header's '{' and null for __metadata__. A shape whose dimensions overflow is refused even if
// one of them is 0.
//
// Data is read by position, in pieces of the caller's choice, and never mapped: a file may be larger than memory, and one that
// shrinks while it is read is an error, not a fault. What is allocated is proportional to the header that the file really has.
//
// # Writing
//
// [Create] lays the header out and gives a [Writer] that takes the tensors' bytes in pieces, in any order, from any number of
// goroutines. They go to a file beside the target, which [Writer.Commit] renames: the target appears whole or not at all.
// The same metadata, tensors and bytes give the same file.
//
// Every error about a file is an [*Error], one line that names file, tensor and reason.
package safetensors
