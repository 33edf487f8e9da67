package ir

import (
	"fmt"
	"math"
)

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
	case OpAlarmNaN, OpAlarmCode, OpAlarmAbove, OpAlarmHalf, OpAlarmLow:
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

func (n *Node) key() string {
	key := fmt.Sprint(n.Op, n.Type, n.Name, n.Mem, n.Bits, n.Table, n.Kind)
	for _, a := range n.Args {
		key += fmt.Sprint(" ", a.ID)
	}
	return key
}

// Equality is the operation that a store of MemMask compares its two arguments by.
func (n *Node) Equality() Op { return Op(n.Bits) }

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

// ShrBy shifts right by b bits, less than 32, filling with zeros.
func (n *Node) ShrBy(b *Node) *Node { return n.bin(OpShrBy, I32, b, I32) }

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

// OneNaN is n, which arithmetic gave, with one NaN for all, which has neither a sign nor a payload: machines differ in theirs.
func (n *Node) OneNaN() *Node {
	ordered := n.Ordered()
	return n.k.add(Node{Op: OpOneNaN, Type: F32, Args: []*Node{ordered, n, n.k.Const(float32(math.NaN()))}})
}

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

// Pass is x, floats of 16 bits as integers, where the mask is true, and elsewhere a zero with the sign of x.
func (n *Node) Pass(x *Node) *Node {
	n.want("Pass", Mask16)
	x.want("Pass", I16)
	return n.k.add(Node{Op: OpPass, Type: I16, Args: []*Node{n, x}})
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

// AlarmAbove sends the tile the rare way if 16 bits of n, less than 0x8000, are more than most, which is the same for all tiles.
func (n *Node) AlarmAbove(most *Node) {
	n.want("AlarmAbove", I16)
	n.k.add(Node{Op: OpAlarmAbove, Args: []*Node{n, most, most}})
}

// OrAlarmAbove is n; it sends the tile the rare way if 16 bits of x are such. A loop that looks ahead computes n ahead too.
func (n *Node) OrAlarmAbove(x, most *Node) *Node {
	n.want("OrAlarmAbove", F32)
	x.want("OrAlarmAbove", I16)
	n.k.add(Node{Op: OpAlarmAbove, Args: []*Node{x, most, n}})
	return n
}

// OrAlarmHalf is n; it sends the tile the rare way if there is a number in it that is not 0 and that OfHalf is not for.
func (n *Node) OrAlarmHalf() *Node {
	n.want("OrAlarmHalf", F32)
	n.k.add(Node{Op: OpAlarmHalf, Args: []*Node{n}})
	return n
}

// OfHalf is the float16 next to n toward zero, if that is 0 or a normal number.
func (n *Node) OfHalf() *Node { return n.un(OpOfHalf, F32, F32) }

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
