package quant

import (
	"fmt"
	"slices"
)

type granularityKind uint8

const (
	perTensor granularityKind = iota
	perChannel
	perBlock
	perBlocks
)

// Granularity says which elements of a tensor share parameters: those of one group. The zero value is PerTensor.
// Axes may be negative, counted from the last.
type Granularity struct {
	kind  granularityKind
	axis  int
	size  int
	sizes []int

	partial bool
}

// PerTensor makes the whole tensor one group.
func PerTensor() Granularity { return Granularity{} }

// PerChannel makes each index of an axis a group.
func PerChannel(axis int) Granularity { return Granularity{kind: perChannel, axis: axis} }

// PerBlock cuts an axis into blocks of size elements; size must divide it, unless the Granularity is Partial. Of the other axes, a weight's first two (its channels)
// have a group for each index and the later ones (the taps of a convolution) are whole in each group; an activation's all have
// a group for each index.
func PerBlock(axis, size int) Granularity {
	return Granularity{kind: perBlock, axis: axis, size: size}
}

// PerBlocks cuts each axis into blocks of its size, which must divide it; -1 is the whole axis. There is one size per axis.
func PerBlocks(sizes ...int) Granularity {
	return Granularity{kind: perBlocks, sizes: slices.Clone(sizes)}
}

// Partial lets the last block of an axis be shorter, where the size of PerBlock or PerBlocks does not divide it: an axis of d elements has
// ceil(d/size) blocks, as ONNX has it, and the last one's range is that of the elements that exist. For others it is an error.
func (g Granularity) Partial() Granularity {
	g.partial = true
	return g
}

// String prints the Granularity as its JSON.
func (g Granularity) String() string {
	b, _ := g.MarshalJSON() // cannot fail
	return string(b)
}

func (g Granularity) validate() error {
	if g.kind == perBlock && g.size < 1 {
		return specError("granularity.block_size", g.size, "a positive integer")
	}
	if g.partial && g.kind != perBlock && g.kind != perBlocks {
		return specErrorAs("granularity.partial", g.partial, "false", "type", granularityNames[g.kind])
	}
	for _, n := range g.sizes {
		if n < 1 && n != -1 {
			return specError("granularity.block_size", g.sizes, "positive integers, or -1 for a whole axis")
		}
	}
	return nil
}

// fits refuses a shape of parameters that this granularity makes of no tensor. That of one scale for the tensor has any rank.
func (g Granularity) fits(groups []int, target Target) error {
	rank, axis := len(groups), g.axis
	if axis < 0 {
		axis += rank
	}
	wrong := g.kind == perBlocks && rank != len(g.sizes) || (g.kind == perChannel || g.kind == perBlock) && (axis < 0 || axis >= rank)
	for i, n := range groups {
		free := false // may be any number
		switch g.kind {
		case perChannel:
			free = i == axis
		case perBlock:
			free = i == axis || i < 2 || target == Activation
		case perBlocks:
			free = wrong || g.sizes[i] != -1
		}
		wrong = wrong || !free && n != 1
	}
	if wrong {
		return paramsError("Params.Shape", groups, "one that granularity %v makes of a tensor", g)
	}
	return nil
}

// Groups returns the number of groups along each axis of a tensor of that shape: the shape of its parameters.
// Where a block does not divide its axis, so that a quantizer is disabled, that is an ErrDisabled. An axis or a rank that is not the
// tensor's is an ErrShape.
func (g Granularity) Groups(shape []int, target Target) ([]int, error) {
	return g.groups(nil, shape, target)
}

// Blocks returns the number of elements of a group along each axis of a tensor of that shape, of the first one where the last is shorter. The
// errors are those of Groups.
func (g Granularity) Blocks(shape []int, target Target) ([]int, error) {
	groups, err := g.Groups(shape, target)
	if err != nil {
		return nil, err
	}
	blocks := g.blocks(shape, groups)
	for i, d := range shape {
		if blocks != nil {
			groups[i] = min(blocks[i], d)
		} else {
			groups[i] = d / max(1, groups[i])
		}
	}
	return groups, nil
}

// groups is Groups, in dst's memory if it has room.
func (g Granularity) groups(dst, shape []int, target Target) ([]int, error) {
	if _, err := elements("shape", "", shape); err != nil {
		return nil, err
	}
	rank := len(shape)
	groups := grow(dst, rank)
	if groups == nil {
		groups = []int{} // a scalar's
	}
	for i := range groups {
		groups[i] = 1
	}
	axis := g.axis
	if g.kind == perChannel || g.kind == perBlock {
		if axis < 0 {
			axis += rank
		}
		if rank == 0 {
			return nil, shapeError("granularity.axis", g.axis, "none, as the tensor is a scalar")
		}
		if axis < 0 || axis >= rank {
			return nil, shapeError("granularity.axis", g.axis, "%d to %d, as the tensor's shape is %s", -rank, rank-1, shapeString(shape))
		}
	}
	cut := func(axis, block int) error {
		if shape[axis]%block != 0 && g.partial {
			groups[axis] = shape[axis]/block + 1
			return nil
		}
		if shape[axis]%block != 0 {
			want := fmt.Sprintf("a divisor of axis %d of the tensor's shape %s", axis, shapeString(shape))
			return &Error{ErrDisabled, "granularity.block_size", show(block), want}
		}
		groups[axis] = shape[axis] / block
		return nil
	}
	switch g.kind {
	case perChannel:
		return groups, cut(axis, 1)
	case perBlock:
		collapsed := rank
		if target != Activation {
			collapsed = min(rank, 2)
		}
		copy(groups, shape[:collapsed])
		return groups, cut(axis, g.size)
	case perBlocks:
		if len(g.sizes) != rank {
			return nil, shapeError("granularity.block_size", g.sizes, "one for each axis of the tensor's shape %s", shapeString(shape))
		}
		for i, n := range g.sizes {
			if n == -1 {
				continue
			}
			if err := cut(i, n); err != nil {
				return nil, err
			}
		}
	}
	return groups, nil
}

// blocks returns the number of elements along each axis of a group that is not a last one, or the axis' own, from the number of groups; nil if
// last ones are no shorter.
func (g Granularity) blocks(shape, groups []int) []int {
	if !g.partial {
		return nil
	}
	blocks := make([]int, len(shape))
	for i, d := range shape {
		blocks[i] = d / max(1, groups[i])
	}
	switch {
	case g.kind == perBlock:
		if axis := g.axis; axis >= -len(shape) && axis < len(shape) {
			axis = (axis + len(shape)) % len(shape)
			blocks[axis] = min(g.size, max(1, shape[axis]))
		}
	case g.kind == perBlocks && len(g.sizes) == len(shape):
		for i, n := range g.sizes {
			if n != -1 {
				blocks[i] = min(n, max(1, shape[i]))
			}
		}
	}
	return blocks
}
