package ir

// Mem is an element type in memory.
type Mem uint8

// Memory types. What has less than eight bits lies with the first element in the lowest bits of a byte, and is
// stored from a byte's low bits. Floats load as their values, but for what is said here.
const (
	MemNone Mem = iota
	MemF32
	MemF16
	MemBF16   // what is stored is no NaN with bits in its lower half
	MemNarrow // float16 or bfloat16, as a word of the call says
	MemI32
	MemI16
	MemU16 // the low half of an int32
	MemI8
	MemU8
	MemByte // loads as bytes, as MemU4, MemU2 and MemU6 do
	MemU4
	MemU2
	MemU6   // a stream of bits, four codes to three bytes, in whole tiles: loaded with anything in the two highest bits, stored from what has none there
	MemE4M3 // loads as 1/256 of the values, and its NaN as a number: AlarmCode finds it
	MemE5M2
	MemE2M1
	MemSixes  // loaded only: float codes in such a stream as MemU6
	MemListed // loaded only: codes of which LoadListed is told the values
	MemBits   // one bit per element, bit i%8 of byte i/8
	MemMask   // stored only: a mask of the kind that a word of the call says
	MemCodes  // integer codes in the layout that a word of the call says
	MemFloat  // stored only: float codes in such a layout
)

// What the word of a MemMask says.
const (
	MaskNone  = iota // no mask is stored
	MaskBytes        // a byte each, 0 or 1
	MaskBits         // a bit each, as MemBits
)

// ElemWord is the word that MemNarrow and OpRoundElem go by: one of these.
const ElemWord = "elem"

// What it says.
const (
	ElemF32  = 0
	ElemF16  = 1
	ElemBF16 = 2
)

// Words that go by it: an infinity and the NaN that arithmetic gives, in the upper half of 32 bits.
const (
	InfinityWord = "infinity"
	NaNWord      = "oneNaN"
)

// SignWord is the word that says what is the highest bit of a signed code, 0 if codes are unsigned.
const SignWord = "sign"

// What the word of MemCodes and MemFloat says.
const (
	LayoutNibbles  = iota // four bits each, as MemU4
	LayoutCrumbs          // two bits each, as MemU2
	LayoutSigned          // a byte each, of -128 to 127
	LayoutUnsigned        // a byte each, of 0 to 255
	LayoutListed          // a byte each, what a table has for a code of four bits
)

var memInfo = [...]struct {
	bits int
	goes string
	typ  Type
}{
	MemF32:    {32, "float32", F32},
	MemF16:    {16, "uint16", F32},
	MemBF16:   {16, "uint16", F32},
	MemNarrow: {16, "uint16", F32},
	MemI32:    {32, "int32", I32},
	MemI16:    {16, "uint16", I16},
	MemU16:    {16, "uint16", I32},
	MemI8:     {8, "int8", I32},
	MemU8:     {8, "uint8", I32},
	MemByte:   {8, "uint8", I8},
	MemU4:     {4, "uint8", I8},
	MemU2:     {2, "uint8", I8},
	MemU6:     {6, "uint8", I8},
	MemE4M3:   {8, "uint8", F32},
	MemE5M2:   {8, "uint8", F32},
	MemE2M1:   {4, "uint8", F32},
	MemSixes:  {6, "uint8", F32},
	MemListed: {8, "uint8", F32},
	MemBits:   {1, "uint8", Mask},
	MemMask:   {0, "uint8", Mask},
	MemCodes:  {0, "uint8", I16},
	MemFloat:  {0, "uint8", I16},
}

// Bits is the number of bits of one element in memory, 0 if only the call's words tell.
func (m Mem) Bits() int { return memInfo[m].bits }

// ByWord reports whether a word of the call says how it lies in memory. Behind a whole tile such a load or store advances the pointer.
func (m Mem) ByWord() bool { return m == MemMask || m.HasLayout() }

// HasLayout reports whether that word is a layout.
func (m Mem) HasLayout() bool { return m == MemCodes || m == MemFloat }

// GoType is the Go type that a stream of this type points at.
func (m Mem) GoType() string { return memInfo[m].goes }
