// Package ir is the vocabulary in which a kernel's formula is written down.
//
// A formula calls methods on values; each call records one node of a small
// SSA graph. A value is a tile of 4W consecutive elements, W being the number
// of float32 in a register of the target: four registers of 32-bit lanes, two
// of 16-bit lanes or one of bytes. Equal nodes are recorded once.
//
// The graph says nothing of registers, loops or tails: package plan adds
// those, and a target (x86, neon) chooses instructions.
package ir

import (
	"fmt"
	"math"
	"slices"
)

// Type is the lane type of a value.
type Type uint8

// Lane types. A Mask is true or false per 32-bit lane, a Mask16 per 16-bit lane.
// The lanes of I16 are in an order that the target may choose, unless they were
// loaded or looked up.
const (
	None Type = iota
	F32
	I32
	I16
	I8
	Mask
	Mask16
)

// Slots is the number of registers that a tile of this type takes.
func (t Type) Slots() int {
	switch t {
	case I16, Mask16:
		return 2
	case I8:
		return 1
	}
	return 4
}

// Mem is an element type in memory.
type Mem uint8

// Memory types. Bits is one bit per element, bit i%8 of byte i/8; U4, U2 and
// E2M1 are four and two bits, the first element in the lowest bits of a byte.
// The float formats load as their values, but E4M3 as 1/256 of them, and its NaN
// as a number: AlarmCode finds it. Listed are codes of which LoadListed is told
// the values. What is stored as BF16 is no NaN with bits in its lower half. U16 is the low half of an int32. Byte, U4, U2 and U6 load as bytes; U6 and Sixes are streams of bits, four codes to three bytes, for kernels
// over whole tiles, which store U6 of what has no higher bits and load it with anything in the two highest ones. What has less than eight bits, E2M1
// too, is stored from a byte's low bits.
const (
	MemNone Mem = iota
	MemF32
	MemF16
	MemBF16
	MemNarrow // float16 or bfloat16, as a word of the call says
	MemI32
	MemI16
	MemU16
	MemI8
	MemU8
	MemByte
	MemU4
	MemU2
	MemU6
	MemE4M3
	MemE5M2
	MemE2M1
	MemSixes
	MemListed
	MemBits
	MemMask  // stored only: a mask of the kind that a word of the call says
	MemCodes // integer codes in the layout that a word of the call says
	MemFloat // stored only: float codes in such a layout
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

// Op is an operation.
type Op uint8

// Operations. Floating-point ones round half to even, once.
const (
	OpLoad     Op = iota // next tile of a stream, what is no integer of its own widened to 32-bit lanes
	OpParam              // this group's element of a parameter array
	OpWord               // a scalar argument of the call
	OpConst              // the same 32 bits in every lane
	OpTable              // whole-register constant, asked for by a target
	OpUppers             // mask: the upper halves of 32-bit lanes, asked for by a target
	OpPlane              // bytes of the numbers of a table that is an argument, asked for by a target
	OpByLayout           // what codes of less than a byte are read with, in the layout that a word says, asked for by a target
	OpStore              // next tile of a stream

	OpAdd        // a + b
	OpSub        // a - b
	OpMul        // a * b
	OpDiv        // a / b
	OpMax        // max(a, b) where b is no NaN; NaN in a stays
	OpMin        // min(a, b) likewise
	OpMaximum    // the larger; NaN in either gives NaN
	OpMinimum    // the smaller; likewise
	OpClip       // of the magnitude of a, or of b >= 0 where a has more; the sign is that of a, or none, as the target likes; anything for NaN
	OpMulAdd     // a*b + c, rounded once
	OpMulSub     // a*b - c, rounded once
	OpMulSubFrom // c - a*b, rounded once
	OpRound      // to an integer
	OpRoundElem  // to an element type, as the word ElemWord says
	OpSqrt       // square root, rounded once
	OpToInt      // to int32; anything for NaN and for what is beyond int32, but see OpAlarmLow
	OpToFloat    // from int32
	OpWidenUpper // from float16 or bfloat16, as a word says, in the upper half of 32 bits
	OpWiden      // from 16 bits as loaded

	OpIAdd // 32-bit integers, wrapping
	OpISub
	OpIMax // signed, of 32 or 16 bits
	OpIMin // signed, of 16 bits
	OpUMin // unsigned, likewise
	OpUMax // unsigned, likewise
	OpAnd  // 16 bits and bytes too
	OpOr
	OpXor   // bytes too
	OpOrAnd // a | b&c; bytes too
	OpShl   // by a constant
	OpShr   // logical, by a constant; of bytes too, but then anything may be shifted in
	OpAs    // the same bits as another type
	OpElse  // a where groups are long, b elsewhere

	OpEq      // mask: a == b, floats
	OpIEq     // mask: a == b, integers, of 16 bits too
	OpInside  // mask: a, which is Clip of b, has the magnitude of b
	OpOrdered // mask: a is no NaN
	OpSelect  // mask ? a : b
	OpKeep    // mask ? a : +0

	OpNarrow16   // int32 to int16, saturating
	OpHalves     // int32 to int16: the sum of the lower half, signed, and the upper one >> a constant, 0 or above, saturated to some bits
	OpHalvesBy   // the same, the lower half times 128 and the upper one times the upper half of b, over 128, saturated to 8 bits or more
	OpHalvesHigh // the same with weights for both, saturated to 8 or to 3 bits and then at the top of 16, or as HalvesBy, as the target likes: MemFloat knows
	OpAddSat16   // int16, saturating
	OpNarrowS8   // int16 to int8, saturating
	OpNarrowU8   // int16 to uint8, saturating
	OpShuffledU8 // the same in an order that the target likes
	OpInOrder    // bytes that are in that order, in that of the elements
	OpMaxS8      // int8
	OpMaxU8      // uint8
	OpMinS8
	OpMinU8
	OpSub8     // bytes, wrapping
	OpBytes    // mask to one byte per lane, 0 or 1
	OpSigns    // float32 to int16 of which only the highest bit counts, the sign
	OpSigns8   // such to bytes, in the order of ShuffledU8
	OpLookUp16 // the 16 bits of a table of 256, an argument, that a byte says

	OpAlarmNaN   // sends the tile the rare way if a float in it is NaN
	OpAlarmCode  // the same if a byte of a stream, or'ed with a, is 0xff
	OpAlarmAbove // the same if 16 bits, unsigned, are more than b; c is what else to begin a tile with
	OpAlarmLow   // the same if a float is NaN or beyond the integers, so that ToInt will not do; the least int16 of Narrow16 sounds it too

	OpFoldMin  // the smallest float of a group; anything if a NaN is among them
	OpFoldMax  // the largest float of a group; likewise
	OpFoldIMax // the largest integer of a group, signed; of 16 bits, in the upper half of 32 above zeros
	OpFoldUMax // the largest, unsigned; likewise
	OpFoldUMin // the smallest, unsigned; likewise
	OpFoldNaN  // a NaN if one is in the group or a fold of it already gives one, else +0
	OpSum      // the sum over the elements, of kernels that sum
	OpResult   // stores a group's number
)

var opNames = [...]string{"Load", "Param", "Word", "Const", "Table", "Uppers", "Plane", "ByLayout", "Store", "Add", "Sub", "Mul", "Div", "Max", "Min", "Maximum", "Minimum", "Clip",
	"MulAdd", "MulSub", "MulSubFrom", "Round", "RoundElem", "Sqrt", "ToInt", "ToFloat", "WidenUpper", "Widen", "IAdd", "ISub", "IMax", "IMin", "UMin", "UMax", "And", "Or", "Xor", "OrAnd", "Shl", "Shr", "As", "Else",
	"Eq", "IEq", "Inside", "Ordered", "Select", "Keep", "Narrow16", "Halves", "HalvesBy", "HalvesHigh", "AddSat16", "NarrowS8", "NarrowU8", "ShuffledU8", "InOrder", "MaxS8", "MaxU8", "MinS8", "MinU8", "Sub8", "Bytes", "Signs", "Signs8", "LookUp16", "AlarmNaN", "AlarmCode", "AlarmAbove", "AlarmLow", "FoldMin", "FoldMax", "FoldIMax", "FoldUMax", "FoldUMin", "FoldNaN", "Sum", "Result"}

func (o Op) String() string { return opNames[o] }

// Node is one recorded operation; in formulas it is a value.
type Node struct {
	Op    Op
	Type  Type
	Args  []*Node
	Name  string // stream, parameter, word, table or result
	Mem   Mem    // of loads, stores, parameters and results
	Bits  uint32 // constant, shift count, or which of several
	Table string // OpTable: 4 bytes per lane, little-endian; of MemListed: 2 bytes per code, likewise; of MemFloat a byte per code
	Kind  string // of what goes by a word: the word's name
	Rare  bool   // recorded by Rarely
	ID    int

	k *Kernel
}

// Slots is the number of registers that the node's tile takes. Bits are stored
// for the whole tile at once, what is made 16 bits of lanes for half of it.
func (n *Node) Slots() int {
	switch n.Op {
	case OpAlarmNaN, OpAlarmCode, OpAlarmAbove, OpAlarmLow:
		return 1
	case OpStore:
		switch n.Mem {
		case MemBits, MemMask, MemCodes, MemFloat:
			return 1
		case MemBF16, MemNarrow, MemU16:
			return 2
		}
		return n.Args[0].Type.Slots()
	}
	return n.Type.Slots()
}

// Of is the kernel that a node belongs to.
func Of(n *Node) *Kernel { return n.k }

// Stream is an array with one element per element of the tile.
type Stream struct {
	Name string
	Mem  Mem
	Kind string // of what goes by word: the word's name
	Out  bool
	In   bool
}

// Kernel is a recorded formula.
type Kernel struct {
	Name     string    // family and variants, without the implementation's suffix
	Family   string    // kernels that differ in variants alone
	Variants []Variant // which of the family this is
	File     string    // names the generated file
	Doc      string    // the formula in words, for the generated declaration
	Nodes    []*Node
	Streams  []*Stream // outputs first
	Params   []*Node
	Words    []*Node
	Tables   []string // arguments with 256 numbers of 16 bits
	Results  []*Node
	Large    bool    // its outputs may be more than a cache keeps
	Whole    bool    // it is called for whole tiles only, and runs over a flat slice, or over groups of which a tile has Share
	Block    *Block  // what a kernel over interleaved blocks has instead of nodes
	Search   *Search // what a search has instead
	Sums     bool    // it sums a number over the elements of each group, with parameters as lanes: see plan.GenerateSums
	Columns  bool    // it is such a kernel with groups as lanes

	Random     bool // it makes random words, without nodes
	Transposed int  // it transposes a matrix of elements of so many bits, without nodes
	Upward     bool // what is rounded once is rounded toward positive infinity

	memo map[string]*Node
	rare bool
}

// Variant is one choice of a kind, such as an element type; Name is empty for
// the kind's first choice.
type Variant struct {
	Kind *Kind
	Name string
}

// Kind is something in which kernels of a family differ: a Go type with its constants.
type Kind struct {
	Type    string
	Doc     string
	Choices []string // constants
	Names   []string // what each adds to a kernel's name
}

// Of is the kind's choice with the given name.
func (k *Kind) Of(name string) Variant { return Variant{k, name} }

// ChoicesOf are the constants that stand for the variant: one, or several whose kernel is the same.
func (v Variant) ChoicesOf() (list []string) {
	for i, n := range v.Kind.Names {
		if n == v.Name {
			list = append(list, v.Kind.Choices[i])
		}
	}
	if list == nil {
		panic("ir: " + v.Kind.Type + " has no " + v.Name)
	}
	return list
}

// New begins a kernel of a family.
func New(file, family, doc string, variants ...Variant) *Kernel {
	k := &Kernel{Name: family, Family: family, Variants: variants, File: file, Doc: doc, memo: map[string]*Node{}}
	for _, v := range variants {
		k.Name += v.Name
	}
	return k
}

// Grouped reports whether the kernel has parameters or results per group; if
// not, it runs over one flat slice.
func (k *Kernel) Grouped() bool { return len(k.Params)+len(k.Results) > 0 }

// Folds reports whether the kernel reduces its groups to numbers.
func (k *Kernel) Folds() bool { return len(k.Results) > 0 }

// Fold reports whether the operation reduces a group to a number.
func (o Op) Fold() bool { return OpFoldMin <= o && o <= OpFoldNaN }

func (n *Node) key() string {
	key := fmt.Sprint(n.Op, n.Type, n.Name, n.Mem, n.Bits, n.Table, n.Kind)
	for _, a := range n.Args {
		key += fmt.Sprint(" ", a.ID)
	}
	return key
}

func (k *Kernel) add(n Node) *Node {
	key := n.key()
	if old := k.memo[key]; old != nil {
		return old
	}
	n.ID, n.k, n.Rare = len(k.Nodes), k, k.rare
	p := &n
	k.Nodes = append(k.Nodes, p)
	k.memo[key] = p
	return p
}

func (k *Kernel) stream(name string, m Mem, out bool) {
	for _, s := range k.Streams {
		if s.Name == name {
			if memInfo[s.Mem].goes != memInfo[m].goes {
				panic("ir: stream " + name + " has two types")
			}
			s.Out, s.In = s.Out || out, s.In || !out
			return
		}
	}
	k.Streams = append(k.Streams, &Stream{Name: name, Mem: m, Out: out, In: !out})
}

// Load is the next tile of an input.
func (k *Kernel) Load(name string, m Mem) *Node {
	k.stream(name, m, false)
	return k.add(Node{Op: OpLoad, Type: memInfo[m].typ, Name: name, Mem: m, Kind: k.elemWord(m)})
}

// elemWord is the word that a type of elements goes by, if it goes by one.
func (k *Kernel) elemWord(m Mem) string {
	if m != MemNarrow {
		return ""
	}
	return k.Word(ElemWord, MemI32).Name
}

// LoadListed is the next tile of codes of a byte, as their values. These are
// bfloat16s, and those of 0x80 and more those of 0 to 0x7f, or these with the
// other sign; where that of 0 is 0, that of 0x80 may be NaN.
func (k *Kernel) LoadListed(name string, values *[256]float32) *Node {
	k.stream(name, MemListed, false)
	table := make([]byte, 0, 512)
	for _, v := range values {
		b := math.Float32bits(v)
		table = append(table, byte(b>>16), byte(b>>24))
	}
	return k.add(Node{Op: OpLoad, Type: F32, Name: name, Mem: MemListed, Table: string(table)})
}

// LoadSixes loads floats of six bits as float16s: a code with its sign at the top is shifted down
// by so many bits, the sign repeated, and then some bits are kept. Both are words for 16 bits, twice.
func (k *Kernel) LoadSixes(name string, down, keep *Node) *Node {
	k.stream(name, MemSixes, false)
	return k.add(Node{Op: OpLoad, Type: F32, Name: name, Mem: MemSixes, Args: []*Node{down, keep}})
}

// Signed is the next tile of codes of a few bits, as bytes. The word sign is the
// highest bit of a signed code, 0 if they are unsigned, so that both kinds share
// a kernel.
func (k *Kernel) Signed(name string, m Mem, sign *Node) *Node {
	b := sign.Narrow16().NarrowS8()
	return k.Load(name, m).Xor(b).Sub8(b)
}

// SignedValues is the same as float32.
func (k *Kernel) SignedValues(name string, m Mem, sign *Node) *Node {
	k.stream(name, m, false)
	return k.add(Node{Op: OpLoad, Type: F32, Args: []*Node{sign}, Name: name, Mem: m})
}

// LoadCodes is the next tile of integer codes in the layout that a word of the call says, as float32. SignWord tells if they are signed.
func (k *Kernel) LoadCodes(name string, layout *Node) *Node {
	k.Word(SignWord, MemI32)
	return k.byWord(layout, Node{Op: OpLoad, Type: F32, Name: name, Mem: MemCodes})
}

// Param is the group's element of a parameter array of float32 or int32.
func (k *Kernel) Param(name string, m Mem) *Node {
	n := k.add(Node{Op: OpParam, Type: memInfo[m].typ, Name: name, Mem: m})
	for _, p := range k.Params {
		if p == n {
			return n
		}
	}
	k.Params = append(k.Params, n)
	return n
}

// Word is a scalar argument of the call, float32 or int32.
func (k *Kernel) Word(name string, m Mem) *Node {
	n := k.add(Node{Op: OpWord, Type: memInfo[m].typ, Name: name, Mem: m})
	if !slices.ContainsFunc(k.Words, func(w *Node) bool { return w.Name == name }) {
		k.Words = append(k.Words, n)
	}
	return n
}

// Const is a float32 constant.
func (k *Kernel) Const(v float32) *Node {
	return k.add(Node{Op: OpConst, Type: F32, Bits: math.Float32bits(v)})
}

// Int is an int32 constant.
func (k *Kernel) Int(v int32) *Node { return k.add(Node{Op: OpConst, Type: I32, Bits: uint32(v)}) }

// Short is a constant in each 16-bit lane.
func (k *Kernel) Short(v uint16) *Node {
	return k.add(Node{Op: OpConst, Type: I16, Bits: uint32(v) * 0x00010001})
}

// Byte is a constant in each byte.
func (k *Kernel) Byte(v uint8) *Node {
	return k.add(Node{Op: OpConst, Type: I8, Bits: uint32(v) * 0x01010101})
}

// TableConst is a whole-register constant; targets ask for these.
func (k *Kernel) TableConst(words []uint32) *Node {
	b := make([]byte, 0, 4*len(words))
	for _, w := range words {
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return k.add(Node{Op: OpTable, Type: I32, Table: string(b)})
}

// Plane is a register of bytes of a table's numbers, from the first low bytes on
// to the last high ones; targets ask for these.
func (k *Kernel) Plane(table string, i int) *Node {
	return k.add(Node{Op: OpPlane, Type: I8, Name: table, Bits: uint32(i)})
}

// ByLayout is number i of what a target reads codes of less than a byte with, in the layout that a word says; targets ask for it.
func (k *Kernel) ByLayout(word string, i int) *Node {
	return k.add(Node{Op: OpByLayout, Type: F32, Kind: word, Bits: uint32(i)})
}

// Uppers is a mask of 16-bit lanes: the upper halves of 32-bit ones.
func (k *Kernel) Uppers() *Node { return k.add(Node{Op: OpUppers, Type: Mask}) }

// Store writes the tile to an output. Accepted are F32 to floats, I32 and I16 to integers
// of their size, I16 as it was loaded or looked up, I8 to bytes and less, masks to Bits.
func (k *Kernel) Store(name string, m Mem, v *Node) {
	want := map[Mem]Type{MemF32: F32, MemF16: F32, MemBF16: F32, MemNarrow: F32, MemI32: I32, MemI16: I16, MemU16: I32, MemI8: I8, MemU8: I8, MemByte: I8, MemU4: I8, MemU2: I8, MemU6: I8, MemE2M1: I8, MemBits: Mask}[m]
	if v.Type != Mask16 || want != Mask {
		v.want("Store", want)
	}
	k.stream(name, m, true)
	k.add(Node{Op: OpStore, Args: []*Node{v}, Name: name, Mem: m, Kind: k.elemWord(m)})
}

// StoreMask writes the tile's mask to an output in the way that a word of the call says: MaskNone,
// MaskBytes or MaskBits. The mask is a comparison for equality, and is made only if it is wanted.
func (k *Kernel) StoreMask(name string, kind, m *Node) {
	if m.Op != OpEq && m.Op != OpIEq && m.Op != OpInside {
		panic("ir: StoreMask of what is no equality")
	}
	k.byWord(kind, Node{Op: OpStore, Args: m.Args, Name: name, Mem: MemMask, Bits: uint32(m.Op)})
}

// StoreCodes writes the tile's integers to an output as codes in the layout that a word of the call says,
// clipped to least and most: codes of the layout, a byte each.
func (k *Kernel) StoreCodes(name string, layout, q, least, most *Node) {
	q.want("StoreCodes", I16)
	least.want("StoreCodes", I8)
	most.want("StoreCodes", I8)
	k.byWord(layout, Node{Op: OpStore, Args: []*Node{q, least, most}, Name: name, Mem: MemCodes})
}

// StoreFloat writes the tile's float codes to an output in the layout that a word of the call says: LayoutUnsigned,
// clipped to top below the sign, LayoutNibbles, saturated to three bits, or LayoutListed, what table has for those. Bytes are or'ed with nan, unless it is nil. Signs are those of Signs16.
func (k *Kernel) StoreFloat(name string, layout, halves, signs, top *Node, table *[16]byte, nan *Node) {
	if halves.Op != OpHalvesHigh {
		panic("ir: StoreFloat of other halves")
	}
	n := Node{Op: OpStore, Args: []*Node{halves, signs, top}, Name: name, Mem: MemFloat, Table: string(table[:])}
	if nan != nil {
		n.Args = append(n.Args, nan)
	}
	signs.want("StoreFloat", I16)
	for _, a := range n.Args[2:] {
		a.want("StoreFloat", I8)
	}
	k.byWord(layout, n)
}

// byWord adds a load or store of what goes by a word.
func (k *Kernel) byWord(word *Node, n Node) *Node {
	if word.Op != OpWord || word.Mem != MemI32 {
		panic("ir: " + n.Op.String() + " by what is no word")
	}
	k.stream(n.Name, n.Mem, n.Op == OpStore)
	for _, s := range k.Streams {
		if s.Name == n.Name {
			s.Kind = word.Name
		}
	}
	n.Kind = word.Name
	return k.add(n)
}

// Equality is the operation that a store of MemMask compares its two arguments by.
func (n *Node) Equality() Op { return Op(n.Bits) }

// Result stores a folded number for the group: F32, or of I32 the upper half.
func (k *Kernel) Result(name string, m Mem, v *Node) {
	v.want("Result", map[Mem]Type{MemF32: F32, MemI16: I32}[m])
	k.Results = append(k.Results, k.add(Node{Op: OpResult, Type: None, Args: []*Node{v}, Name: name, Mem: m}))
}

func (n *Node) want(op string, ts ...Type) {
	for _, t := range ts {
		if n.Type == t {
			return
		}
	}
	panic(fmt.Sprintf("ir: %s of %s (type %d)", op, n.Op, n.Type))
}

func (n *Node) bin(op Op, t Type, b *Node, result Type) *Node {
	n.want(op.String(), t)
	b.want(op.String(), t)
	return n.k.add(Node{Op: op, Type: result, Args: []*Node{n, b}})
}

func (n *Node) un(op Op, t, result Type) *Node {
	n.want(op.String(), t)
	return n.k.add(Node{Op: op, Type: result, Args: []*Node{n}})
}

// Floating point.

func (n *Node) Add(b *Node) *Node     { return n.bin(OpAdd, F32, b, F32) }
func (n *Node) Sub(b *Node) *Node     { return n.bin(OpSub, F32, b, F32) }
func (n *Node) Mul(b *Node) *Node     { return n.bin(OpMul, F32, b, F32) }
func (n *Node) Div(b *Node) *Node     { return n.bin(OpDiv, F32, b, F32) }
func (n *Node) Max(b *Node) *Node     { return n.bin(OpMax, F32, b, F32) }
func (n *Node) Min(b *Node) *Node     { return n.bin(OpMin, F32, b, F32) }
func (n *Node) Maximum(b *Node) *Node { return n.bin(OpMaximum, F32, b, F32) }
func (n *Node) Minimum(b *Node) *Node { return n.bin(OpMinimum, F32, b, F32) }
func (n *Node) Clip(b *Node) *Node    { return n.bin(OpClip, F32, b, F32) }
func (n *Node) Round() *Node          { return n.un(OpRound, F32, F32) }
func (n *Node) Sqrt() *Node           { return n.un(OpSqrt, F32, F32) }
func (n *Node) ToInt() *Node          { return n.un(OpToInt, F32, I32) }

// RoundElem is the number rounded to the element type that the call is for. A NaN stays one.
func (n *Node) RoundElem() *Node {
	n.want("RoundElem", F32)
	return n.k.add(Node{Op: OpRoundElem, Type: F32, Args: []*Node{n}, Kind: n.k.Word(ElemWord, MemI32).Name})
}

// ToFloat is the number as float32. What is loaded from unsigned bytes is loaded as such:
// machines know shorter ways than by int32.
func (n *Node) ToFloat() *Node {
	if n.Op == OpLoad && n.Mem == MemU8 {
		return n.k.add(Node{Op: OpLoad, Type: F32, Name: n.Name, Mem: n.Mem})
	}
	return n.un(OpToFloat, I32, F32)
}

// WidenUpper is a float16 or bfloat16, as a word says, in the upper half of 32 bits, as float32.
func (n *Node) WidenUpper() *Node {
	n.want("WidenUpper", I32)
	return n.k.add(Node{Op: OpWidenUpper, Type: F32, Args: []*Node{n}, Kind: n.k.elemWord(MemNarrow)})
}

// Widen is the value of an element of 16 bits, of type m.
func (n *Node) Widen(m Mem) *Node {
	n.want("Widen", I16)
	return n.k.add(Node{Op: OpWiden, Type: F32, Args: []*Node{n}, Mem: m})
}

// MulAdd is n*b + c, rounded once.
func (n *Node) MulAdd(b, c *Node) *Node {
	return n.k.add(Node{Op: OpMulAdd, Type: F32, Args: []*Node{n, b, c}})
}

// MulSub is n*b - c, rounded once.
func (n *Node) MulSub(b, c *Node) *Node {
	return n.k.add(Node{Op: OpMulSub, Type: F32, Args: []*Node{n, b, c}})
}

// MulSubFrom is c - n*b, rounded once.
func (n *Node) MulSubFrom(b, c *Node) *Node {
	return n.k.add(Node{Op: OpMulSubFrom, Type: F32, Args: []*Node{n, b, c}})
}

// Magnitude is n with a positive sign.
func (n *Node) Magnitude() *Node { return n.As(I32).And(n.k.Int(1<<31 - 1)).As(F32) }

// 32-bit integers.

func (n *Node) IAdd(b *Node) *Node { return n.bin(OpIAdd, I32, b, I32) }
func (n *Node) ISub(b *Node) *Node { return n.bin(OpISub, I32, b, I32) }

// IMax, UMin and UMax take 16-bit lanes too, and IMin nothing else.
func (n *Node) IMax(b *Node) *Node { return n.ints(OpIMax, b) }
func (n *Node) UMin(b *Node) *Node { return n.ints(OpUMin, b) }
func (n *Node) UMax(b *Node) *Node { return n.ints(OpUMax, b) }
func (n *Node) IMin(b *Node) *Node { return n.bin(OpIMin, I16, b, I16) }

func (n *Node) ints(op Op, b *Node) *Node {
	n.want(op.String(), I32, I16)
	return n.bin(op, n.Type, b, n.Type)
}

func (n *Node) Or(b *Node) *Node { return n.bin(OpOr, I32, b, I32) }

// And takes 16-bit lanes and bytes too.
func (n *Node) And(b *Node) *Node {
	n.want("And", I32, I16, I8)
	return n.bin(OpAnd, n.Type, b, n.Type)
}

// Xor takes bytes too.
func (n *Node) Xor(b *Node) *Node {
	n.want("Xor", I32, I8)
	return n.bin(OpXor, n.Type, b, n.Type)
}

// OrAnd is n | b&c; it takes bytes too.
func (n *Node) OrAnd(b, c *Node) *Node {
	n.want("OrAnd", I32, I8)
	b.want("OrAnd", n.Type)
	c.want("OrAnd", n.Type)
	return n.k.add(Node{Op: OpOrAnd, Type: n.Type, Args: []*Node{n, b, c}})
}

// Shl shifts left by c bits.
func (n *Node) Shl(c uint32) *Node {
	n.want("Shl", I32)
	return n.k.add(Node{Op: OpShl, Type: I32, Args: []*Node{n}, Bits: c})
}

// Shr shifts right by c bits, filling with zeros, or bytes with anything.
func (n *Node) Shr(c uint32) *Node {
	n.want("Shr", I32, I8)
	return n.k.add(Node{Op: OpShr, Type: n.Type, Args: []*Node{n}, Bits: c})
}

// As is the same bits as a 32-bit lane of another type, or of what is the same in
// every lane as two of 16 bits, or four bytes.
func (n *Node) As(t Type) *Node {
	n.want("As", F32, I32)
	if n.Type == t {
		return n
	}
	return n.k.add(Node{Op: OpAs, Type: t, Args: []*Node{n}})
}

// Else is n where groups are long, and elsewhere b, for which less is computed per group.
func (n *Node) Else(b *Node) *Node { return n.bin(OpElse, n.Type, b, n.Type) }

// Masks.

// Inside is where n, which is Clip of v, is not clipped.
func (n *Node) Inside(v *Node) *Node { return n.bin(OpInside, F32, v, Mask) }

func (n *Node) Eq(b *Node) *Node { return n.bin(OpEq, F32, b, Mask) }
func (n *Node) IEq(b *Node) *Node {
	if n.Type == I16 {
		return n.bin(OpIEq, I16, b, Mask16)
	}
	return n.bin(OpIEq, I32, b, Mask)
}
func (n *Node) Ordered() *Node { return n.un(OpOrdered, F32, Mask) }

// Select is a where the mask is true and b elsewhere.
func (n *Node) Select(a, b *Node) *Node {
	n.want("Select", Mask)
	b.want("Select", a.Type)
	return n.k.add(Node{Op: OpSelect, Type: a.Type, Args: []*Node{n, a, b}})
}

// Keep is a where the mask is true and zero bits elsewhere.
func (n *Node) Keep(a *Node) *Node {
	n.want("Keep", Mask)
	return n.k.add(Node{Op: OpKeep, Type: a.Type, Args: []*Node{n, a}})
}

// Narrow lanes.

func (n *Node) Narrow16() *Node        { return n.un(OpNarrow16, I32, I16) }
func (n *Node) AddSat16(b *Node) *Node { return n.bin(OpAddSat16, I16, b, I16) }
func (n *Node) NarrowS8() *Node        { return n.un(OpNarrowS8, I16, I8) }
func (n *Node) NarrowU8() *Node        { return n.un(OpNarrowU8, I16, I8) }
func (n *Node) ShuffledU8() *Node      { return n.un(OpShuffledU8, I16, I8) }
func (n *Node) InOrder() *Node         { return n.un(OpInOrder, I8, I8) }
func (n *Node) MaxS8(b *Node) *Node    { return n.bin(OpMaxS8, I8, b, I8) }
func (n *Node) MaxU8(b *Node) *Node    { return n.bin(OpMaxU8, I8, b, I8) }
func (n *Node) MinS8(b *Node) *Node    { return n.bin(OpMinS8, I8, b, I8) }
func (n *Node) MinU8(b *Node) *Node    { return n.bin(OpMinU8, I8, b, I8) }
func (n *Node) Sub8(b *Node) *Node     { return n.bin(OpSub8, I8, b, I8) }
func (n *Node) Bytes() *Node {
	n.want("Bytes", Mask, Mask16)
	return n.un(OpBytes, n.Type, I8)
}

// Signs is bytes of which only the highest bit counts, the sign, in the order of ShuffledU8.
func (n *Node) Signs() *Node { return n.Signs16().un(OpSigns8, I16, I8) }

// Signs16 is 16-bit integers of which only the highest bit counts, the sign.
func (n *Node) Signs16() *Node { return n.un(OpSigns, F32, I16) }

// Halves is the lower half of n and its upper one, shifted right by c, together,
// saturated to so many bits; it must not need more than 15-c.
func (n *Node) Halves(c, bits uint32) *Node {
	n.want("Halves", I32)
	return n.k.add(Node{Op: OpHalves, Type: I16, Args: []*Node{n}, Bits: c | bits<<8})
}

// HalvesBy is n's lower half and its upper one over 2^c together, saturated to 8 bits or more: weights
// is 128 in its lower half, and 2^(7-c) in its upper one.
func (n *Node) HalvesBy(weights *Node) *Node { return n.bin(OpHalvesBy, I32, weights, I16) }

// HalvesHigh is HalvesBy saturated to b bits, 8 or 3: the lower half of weights is 2^(15-b), and the upper one that over 2^c.
func (n *Node) HalvesHigh(weights *Node) *Node { return n.bin(OpHalvesHigh, I32, weights, I16) }

// HalvesBits are the numbers that were given to Halves.
func (n *Node) HalvesBits() (c, bits int) { return int(n.Bits & 0xff), int(n.Bits >> 8) }

// LookUp16 is the table's number at n; the table is an argument of the call.
func (n *Node) LookUp16(table string) *Node {
	n.want("LookUp16", I8)
	n.k.Tables = append(n.k.Tables, table)
	return n.k.add(Node{Op: OpLookUp16, Type: I16, Args: []*Node{n}, Name: table})
}

// A formula may be right only for tiles of the ordinary kind. It then sounds an
// alarm for any other tile, before anything of that is stored, and says behind
// everything else what is to be done instead: all of the tile, from its loads
// to its stores.

// OrAlarm is n; it sends the tile the rare way if there is a NaN in it.
func (n *Node) OrAlarm() *Node {
	n.want("OrAlarm", F32)
	n.k.add(Node{Op: OpAlarmNaN, Args: []*Node{n}})
	return n
}

// OrAlarmAbove is n; it sends the tile the rare way if 16 bits of x, unsigned, are
// more than most. A loop that looks ahead computes n ahead too.
func (n *Node) OrAlarmAbove(x, most *Node) *Node {
	n.want("OrAlarmAbove", F32)
	x.want("OrAlarmAbove", I16)
	n.k.add(Node{Op: OpAlarmAbove, Args: []*Node{x, most, n}})
	return n
}

// AlarmCode sends the tile the rare way if a byte of an input is 0xff where or's
// bits are put in.
func (k *Kernel) AlarmCode(name string, m Mem, or *Node) {
	or.want("AlarmCode", I32)
	k.stream(name, m, false)
	k.add(Node{Op: OpAlarmCode, Args: []*Node{or}, Name: name, Mem: m})
}

// ToInt16OrAlarm is n as saturated int16; it sends the tile the rare way if one
// is beyond int32, or NaN, or too low to be told from that.
func (n *Node) ToInt16OrAlarm() *Node {
	i := n.ToInt().Narrow16()
	n.k.add(Node{Op: OpAlarmLow, Args: []*Node{i, n}})
	return i
}

// Rarely records the rare way. Loads and parameters of the ordinary way may be used in it.
func (k *Kernel) Rarely(formula func()) {
	k.rare = true
	formula()
	k.rare = false
}

// Folds over a group.

func (n *Node) FoldMin() *Node { return n.un(OpFoldMin, F32, F32) }
func (n *Node) FoldMax() *Node { return n.un(OpFoldMax, F32, F32) }

func (n *Node) FoldIMax() *Node { return n.foldInts(OpFoldIMax) }
func (n *Node) FoldUMax() *Node { return n.foldInts(OpFoldUMax) }
func (n *Node) FoldUMin() *Node { return n.foldInts(OpFoldUMin) }

func (n *Node) foldInts(op Op) *Node {
	n.want(op.String(), I32, I16)
	return n.un(op, n.Type, I32)
}

// FoldNaN is what must be added to FoldMin and FoldMax to make a NaN in the group show.
func (n *Node) FoldNaN() *Node { return n.un(OpFoldNaN, F32, F32) }

// Sum is the sum of n over the elements of a group, in a kernel that sums. What follows from it is computed once.
func (n *Node) Sum() *Node { return n.un(OpSum, F32, F32) }

// Row is row i of an array of rows of float32, one for each column, and StoreRow sets it.
func (k *Kernel) Row(name string, i int) *Node {
	k.stream(name, MemF32, false)
	return k.add(Node{Op: OpLoad, Type: F32, Name: name, Mem: MemF32, Bits: uint32(i)})
}

func (k *Kernel) StoreRow(name string, i int, v *Node) {
	v.want("StoreRow", F32)
	k.stream(name, MemF32, true)
	k.add(Node{Op: OpStore, Args: []*Node{v}, Name: name, Mem: MemF32, Bits: uint32(i)})
}
