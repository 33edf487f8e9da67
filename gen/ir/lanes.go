package ir

import "math"

// A kernel whose lanes are sixteen groups side by side is a Block too: its formula is for a row, the same element of all
// groups, and it runs over the rows in their order, so that the sums that it carries are those of the groups, each in the
// order of the elements. Rows are sixteen float32, one behind the other.

// NewLanes begins such a kernel. Its arguments are the rows, numbers of the groups (Lane), and what becomes of the sums.
func NewLanes(file, family, doc string, variants ...Variant) (*Kernel, *Block) {
	k := New(file, family, doc, variants...)
	k.Block = &Block{Groups: 16, Rows: true, memo: map[string]*BlockNode{}, steps: map[string]int{}, k: k}
	return k, k.Block
}

// Row is the next row of an input.
func (b *Block) Row(name string) *BlockNode {
	b.k.stream(name, MemF32, false)
	return b.add(BlockNode{Op: BlockRow, Type: BlockFloats, Name: name})
}

// StoreRow stores the next row of an output.
func (b *Block) StoreRow(name string, v *BlockNode) {
	v.want("StoreRow", BlockFloats)
	b.k.stream(name, MemF32, true)
	b.add(BlockNode{Op: BlockStore, Args: []*BlockNode{v}, Name: name})
}

// StoreHalves stores it as float16, as bytes.
func (b *Block) StoreHalves(name string, v *BlockNode) {
	v.want("StoreHalves", BlockFloats)
	b.stream(name, MemU8, 32, true)
	b.add(BlockNode{Op: BlockStoreHalf, Args: []*BlockNode{v}, Name: name})
}

// StoreInts stores integers of 32 bits, as bytes.
func (b *Block) StoreInts(name string, v *BlockNode) {
	v.want("StoreInts", BlockInts)
	b.stream(name, MemU8, 64, true)
	b.add(BlockNode{Op: BlockStore, Args: []*BlockNode{v}, Name: name})
}

// Lane has number i of each group.
func (b *Block) Lane(i int) *BlockNode {
	return b.add(BlockNode{Op: BlockLane, Type: BlockFloats, Off: 4 * b.Groups * i})
}

// StoreLane sets number i of each group, which nothing that is stored later may ask for.
func (b *Block) StoreLane(i int, v *BlockNode) {
	v.want("StoreLane", BlockFloats)
	b.add(BlockNode{Op: BlockStore, Args: []*BlockNode{v}, Name: "params", Off: 4 * b.Groups * i})
}

// Each is a constant.
func (b *Block) Each(v float32) *BlockNode {
	return b.add(BlockNode{Op: BlockEach, Type: BlockNumber, Off: int(math.Float32bits(v))})
}

// Sum adds to sum i of each group, which is +0 before the first row.
func (b *Block) Sum(i int, v *BlockNode) {
	v.want("Sum", BlockFloats)
	b.add(BlockNode{Op: BlockSum, Args: []*BlockNode{v}, Off: 4 * b.Groups * i})
}

func (n *BlockNode) floats(op BlockOp, c *BlockNode) *BlockNode {
	if n.Type != BlockNumber {
		n.want("arithmetic", BlockFloats)
	}
	if c.Type != BlockNumber {
		c.want("arithmetic", BlockFloats)
	}
	t := BlockFloats
	if n.Type == BlockNumber {
		t = c.Type
	}
	return n.b.add(BlockNode{Op: op, Type: t, Args: []*BlockNode{n, c}})
}

func (n *BlockNode) Add(c *BlockNode) *BlockNode { return n.floats(BlockAdd, c) }
func (n *BlockNode) Sub(c *BlockNode) *BlockNode { return n.floats(BlockSub, c) }
func (n *BlockNode) Mul(c *BlockNode) *BlockNode { return n.floats(BlockMul, c) }
func (n *BlockNode) Div(c *BlockNode) *BlockNode { return n.floats(BlockDiv, c) }

// Max and Min are of numbers; of +0 and -0 either.
func (n *BlockNode) Max(c *BlockNode) *BlockNode { return n.floats(BlockMax, c) }
func (n *BlockNode) Min(c *BlockNode) *BlockNode { return n.floats(BlockMin, c) }

// Under is v/n.
func (n *BlockNode) Under(v float32) *BlockNode {
	n.want("Under", BlockFloats)
	return n.b.add(BlockNode{Op: BlockDiv, Type: BlockFloats, Args: []*BlockNode{n.b.Each(v), n}})
}

// Where has yes where n >= c, and no elsewhere; of one of them at least the type is that of the result.
func (n *BlockNode) Where(c, yes, no *BlockNode) *BlockNode {
	return n.choose(BlockAtLeast, c, yes, no)
}

// WhereAbove has yes where n > c.
func (n *BlockNode) WhereAbove(c, yes, no *BlockNode) *BlockNode {
	return n.choose(BlockAbove, c, yes, no)
}

func (n *BlockNode) choose(op BlockOp, c, yes, no *BlockNode) *BlockNode {
	t := yes.Type
	if t == BlockNumber {
		t = no.Type
	}
	if t == BlockNumber {
		t = BlockFloats
	}
	where := n.b.add(BlockNode{Op: op, Type: BlockMask, Args: []*BlockNode{n, c}})
	return n.b.add(BlockNode{Op: BlockChoose, Type: t, Args: []*BlockNode{where, yes, no}})
}

// Masked has some bits of n alone, and others besides.
func (n *BlockNode) Masked(keep, set uint32) *BlockNode {
	n.want("Masked", BlockFloats)
	if set == 0 {
		return n.b.add(BlockNode{Op: BlockAnd, Type: BlockFloats, Args: []*BlockNode{n, n.b.Bits(keep)}})
	}
	return n.b.add(BlockNode{Op: BlockSigned, Type: BlockFloats, Args: []*BlockNode{n, n.b.Bits(keep), n.b.Bits(set)}})
}

// Bits is a constant by its bits.
func (b *Block) Bits(v uint32) *BlockNode {
	return b.add(BlockNode{Op: BlockEach, Type: BlockNumber, Off: int(v)})
}

// Truncate is n as integers, toward zero; anything beyond int32.
func (n *BlockNode) Truncate() *BlockNode {
	n.want("Truncate", BlockFloats)
	return n.b.add(BlockNode{Op: BlockTruncate, Type: BlockInts, Args: []*BlockNode{n}})
}

// Nearest is n as integers, half to even; anything beyond int32.
func (n *BlockNode) Nearest() *BlockNode {
	n.want("Nearest", BlockFloats)
	return n.b.add(BlockNode{Op: BlockNearest, Type: BlockInts, Args: []*BlockNode{n}})
}

// Float is integers as float32.
func (n *BlockNode) Float() *BlockNode {
	n.want("Float", BlockInts)
	return n.b.add(BlockNode{Op: BlockFloat, Type: BlockFloats, Args: []*BlockNode{n}})
}

// As views the same bits as another type.
func (n *BlockNode) As(t BlockType) *BlockNode {
	return n.b.add(BlockNode{Op: BlockAs, Type: t, Args: []*BlockNode{n}})
}

// Plus adds a constant to integers.
func (n *BlockNode) Plus(v int32) *BlockNode {
	n.want("Plus", BlockInts)
	return n.b.add(BlockNode{Op: BlockPlus, Type: BlockInts, Args: []*BlockNode{n, n.b.Bits(uint32(v))}})
}

// Keep has some bits of integers alone.
func (n *BlockNode) Keep(bits uint32) *BlockNode {
	n.want("Keep", BlockInts)
	return n.b.add(BlockNode{Op: BlockAnd, Type: BlockInts, Args: []*BlockNode{n, n.b.Bits(bits)}})
}

// Shift32 is n << count, or n >> -count with zeros.
func (n *BlockNode) Shift32(count int) *BlockNode {
	n.want("Shift32", BlockInts)
	op := BlockShl32
	switch {
	case count == 0:
		return n
	case count < 0:
		op, count = BlockShr32, -count
	}
	return n.b.add(BlockNode{Op: op, Type: BlockInts, Args: []*BlockNode{n}, Off: count})
}
