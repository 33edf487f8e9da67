package ir

import "math"

// A kernel whose lanes are sixteen groups side by side is a Block too: its formula is for a row, the same element of all
// groups, and it runs over the rows in their order, so that the sums that it carries are those of the groups, each in the
// order of the elements. Rows are sixteen float32, one behind the other.

// NewLanes begins such a kernel. Its arguments are the rows, numbers of the groups (Lane), and what becomes of the sums.
func NewLanes(file, family, doc string, variants ...Variant) (*Kernel, *Block) {
	k := New(file, family, doc, variants...)
	k.Block = &Block{Lanes: true, memo: map[string]*BlockNode{}, k: k}
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

// Lane has number i of each group.
func (b *Block) Lane(i int) *BlockNode {
	return b.add(BlockNode{Op: BlockLane, Type: BlockFloats, Off: 64 * i})
}

// Each is a constant.
func (b *Block) Each(v float32) *BlockNode {
	return b.add(BlockNode{Op: BlockEach, Type: BlockNumber, Off: int(math.Float32bits(v))})
}

// Sum adds to sum i of each group, which is +0 before the first row.
func (b *Block) Sum(i int, v *BlockNode) {
	v.want("Sum", BlockFloats)
	b.add(BlockNode{Op: BlockSum, Args: []*BlockNode{v}, Off: 64 * i})
}

func (n *BlockNode) floats(op BlockOp, c *BlockNode) *BlockNode {
	n.want("arithmetic", BlockFloats)
	if c.Type != BlockNumber {
		c.want("arithmetic", BlockFloats)
	}
	return n.b.add(BlockNode{Op: op, Type: BlockFloats, Args: []*BlockNode{n, c}})
}

func (n *BlockNode) Add(c *BlockNode) *BlockNode { return n.floats(BlockAdd, c) }
func (n *BlockNode) Sub(c *BlockNode) *BlockNode { return n.floats(BlockSub, c) }
func (n *BlockNode) Mul(c *BlockNode) *BlockNode { return n.floats(BlockMul, c) }

// Max and Min are of numbers; of +0 and -0 either.
func (n *BlockNode) Max(c *BlockNode) *BlockNode { return n.floats(BlockMax, c) }
func (n *BlockNode) Min(c *BlockNode) *BlockNode { return n.floats(BlockMin, c) }
