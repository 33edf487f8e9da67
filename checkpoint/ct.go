package checkpoint

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/safetensors"
)

// Formats of compressed-tensors.
const (
	ctInt   = "int-quantized"
	ctNaive = "naive-quantized"
	ctFloat = "float-quantized"
	ctPack  = "pack-quantized"
	ctNVFP4 = "nvfp4-pack-quantized"
	ctMXFP4 = "mxfp4-pack-quantized"
	ctMXFP6 = "mxfp6-pack-quantized"
	ctMXFP8 = "mxfp8-quantized"
)

// ctCompanions are what a module's weight may have beside it.
var ctCompanions = []string{".weight_packed", ".weight_scale", ".weight_zero_point", ".weight_global_scale", ".weight_shape", ".weight_g_idx"}

// resolveCT finds the tensors of compressed-tensors.
func (r *resolver) resolveCT(q *quantConfig) error {
	if len(q.Transform) > 0 {
		return q.unsupported("a transform_config")
	}
	var sparse struct{ format string }
	if raw, ok := q.Sparsity["format"]; ok {
		if sparse.format = strings.Trim(string(raw), `"`); sparse.format != "dense" {
			return q.unsupported("the sparsity_config's format %q", sparse.format)
		}
	}
	groups, ignored := &targets{}, &targets{}
	for _, name := range slices.Sorted(maps.Keys(q.ConfigGroups)) {
		g := q.ConfigGroups[name]
		if g.Weights == nil { // activations alone
			continue
		}
		if target, err := groups.add(g, g.Targets); err != nil {
			return inFile(q.path, fmt.Errorf("%s: config_groups.%s: target %q: %w", quantizationKey, name, target, err))
		}
	}
	if target, err := ignored.add(&ctGroup{}, q.Ignore); err != nil {
		return inFile(q.path, fmt.Errorf("%s: ignore: %q: %w", quantizationKey, target, err))
	}
	modules := r.owners(ctCompanions...)
	seen := map[string]bool{}
	for _, p := range modules {
		seen[p] = true
	}
	for _, p := range r.owners(".weight") { // whose companions are missing, unless they are integers that never were quantized
		if t := r.info(p + ".weight").DType; !seen[p] && (t == safetensors.I8 || t == safetensors.F8_E4M3) && ignored.named(p) == nil {
			modules = append(modules, p)
		}
	}
	for _, p := range modules {
		if r.claimer(p+".weight") == nil {
			r.resolveCTModule(q, p, groups, ignored)
		}
	}
	return nil
}

// resolveCTModule makes the weight of a module.
func (r *resolver) resolveCTModule(q *quantConfig, p string, groups, ignored *targets) {
	b := r.begin(p+".weight", methodCT, q.Format)
	codes := p + ".weight"
	if _, packed := r.storedAs(p + ".weight_packed"); packed {
		codes = p + ".weight_packed"
	}
	switch g := groups.group(p); {
	case ignored.named(p) != nil:
		b.fail(codes, "is quantized, though the ignore of %s names its module", q.path)
	case g == nil:
		b.fail(codes, "is quantized, but no group of %s has it among its targets", q.path)
	default:
		w := &ctWeight{builder: b, path: q.path, module: p, format: cmp.Or(g.Format, q.Format), ctArgs: g.Weights}
		w.resolve(codes)
	}
	if b.err != nil {
		b.add(Codes, codes)
		for _, suffix := range ctCompanions {
			b.others(p + suffix)
		}
		if len(b.parts) > 0 {
			b.done(b.parts[0].dims(), nil, 0)
		}
	}
	b.others(p+".input_scale", p+".input_zero_point", p+".input_global_scale", p+".output_scale", p+".output_zero_point")
}

// ctWeight is the weight of a module while its layout is found. Its steps come in their order, and tell whether all is well.
type ctWeight struct {
	*builder
	*ctArgs
	path       string // of the file that has the arguments
	module     string
	format     string
	storage    ctStorage
	l          grouped
	rows       int
	scaleShape []int
}

func (w *ctWeight) resolve(codes string) {
	w.scheme.Format, w.scheme.Bits = w.format, w.NumBits
	var problem string
	if w.storage, problem = w.ctArgs.storage(w.format); problem != "" {
		w.fail(codes, "%s in %s is not supported", problem, w.path)
		return
	}
	if w.storage.bits != w.NumBits {
		w.fail(codes, "is %s, of %d bits, but num_bits in %s is %d", w.format, w.storage.bits, w.path, w.NumBits)
		return
	}
	w.l = grouped{form: w.storage.form, bits: w.NumBits}
	if w.l.form == formBits {
		w.l.bias = 1 << (w.NumBits - 1)
	}
	if w.findCodes() && w.findGroups() && w.findScales() && w.findZeros() && w.findOrder() {
		w.others(w.module + ".weight_shape")
		w.done([]int{w.rows, w.l.cols}, &w.l, w.l.scale.DType)
	}
}

// ctStorage is how a format stores weights.
type ctStorage struct {
	form       form
	bits       int
	codes      string // the suffix of their name
	codeTypes  []safetensors.DType
	scaleTypes []safetensors.DType
	group      int // how many elements a group has, 0 if the arguments say it
}

// storage returns how a format stores weights, or what of it is not supported.
func (a *ctArgs) storage(format string) (s ctStorage, problem string) {
	types := func(t ...safetensors.DType) []safetensors.DType { return t }
	integers, floats8 := a.Type == "int" && a.NumBits >= 2 && a.NumBits <= 8, a.Type == "float" && a.NumBits == 8
	powers := types(safetensors.U8, safetensors.F8_E8M0)
	switch {
	case integers && (format == ctInt || format == ctNaive):
		return ctStorage{formI8, a.NumBits, ".weight", types(safetensors.I8), floats, 0}, ""
	case floats8 && (format == ctFloat || format == ctNaive):
		return ctStorage{formE4M3, 8, ".weight", types(safetensors.F8_E4M3), floats, 0}, ""
	case integers && format == ctPack:
		return ctStorage{formBits, a.NumBits, ".weight_packed", types(safetensors.I32), floats, 0}, ""
	case format == ctInt, format == ctNaive, format == ctFloat, format == ctPack:
		return s, fmt.Sprintf("type %s with num_bits %d of %s", a.Type, a.NumBits, format)
	case format == ctNVFP4:
		return ctStorage{formE2M1, 4, ".weight_packed", types(safetensors.U8), types(safetensors.F8_E4M3), 16}, ""
	case format == ctMXFP4:
		return ctStorage{formE2M1, 4, ".weight_packed", types(safetensors.U8), powers, 32}, ""
	case format == ctMXFP6:
		return ctStorage{formE2M3, 6, ".weight_packed", types(safetensors.U8), powers, 32}, ""
	case format == ctMXFP8:
		return ctStorage{formE4M3, 8, ".weight", types(safetensors.F8_E4M3), powers, 32}, ""
	}
	return s, "format " + format
}

// findCodes finds the codes, and how many rows and columns they are.
func (w *ctWeight) findCodes() bool {
	codes, ok := w.need(Codes, w.module+w.storage.codes, w.storage.codeTypes...)
	if !ok {
		return false
	}
	if len(codes.dims()) != 2 {
		return w.fail(codes.Name, "has the shape %s, want two axes", shapeText(codes.dims()))
	}
	rows, cols := codes.dims()[0], codes.dims()[1]
	w.l.codes, w.l.rowBytes = codes, int(codes.Size/int64(max(1, rows)))
	switch w.l.form {
	case formBits:
		s, ok := w.need(Other, w.module+".weight_shape", safetensors.I64)
		if !ok || !w.wantShape(s, 2) {
			return false
		}
		shape := readSmall[int64](w.builder, s)
		if w.err != nil {
			return false
		}
		bits := int64(w.l.bits)
		if shape[0] != int64(rows) || shape[1] < 1 || shape[1] > int64(cols)*32/bits || (shape[1]*bits+31)/32 != int64(cols) {
			return w.fail(s.Name, "says that the shape is %s, but the codes of %d bits have the shape %s in 32-bit words",
				shapeText([]int{int(shape[0]), int(shape[1])}), bits, shapeText(codes.dims()))
		}
		cols = int(shape[1])
	case formE2M1:
		cols *= 2
	case formE2M3:
		if cols%3 != 0 {
			return w.fail(codes.Name, "has rows of %d bytes, want whole triples", cols)
		}
		cols = cols / 3 * 4
	}
	w.rows, w.l.cols = rows, cols
	return true
}

// findGroups finds the blocks that are groups.
func (w *ctWeight) findGroups() bool {
	name, rows, cols := w.l.codes.Name, w.rows, w.l.cols
	blockRows, blockCols := 1, 0
	switch w.Strategy {
	case "tensor":
		blockRows, blockCols = max(1, rows), cols
	case "channel":
		blockCols = cols
	case "group", "tensor_group":
		if w.GroupSize == nil || *w.GroupSize < 1 {
			return w.fail(name, "is quantized in groups, but %s does not have their group_size", w.path)
		}
		blockCols = *w.GroupSize
	case "block":
		if len(w.BlockStructure) != 2 || w.BlockStructure[0] < 1 || w.BlockStructure[1] < 1 {
			return w.fail(name, "is quantized in blocks, but the block_structure in %s is %v", w.path, w.BlockStructure)
		}
		blockRows, blockCols = w.BlockStructure[0], w.BlockStructure[1]
	default:
		return w.fail(name, "the strategy %q in %s is not supported", w.Strategy, w.path)
	}
	if group := w.storage.group; group != 0 && (blockCols != group || blockRows != 1 || cols%group != 0) {
		return w.fail(name, "is %s, which has groups of %d that divide its rows of %d, but %s says groups of %d", w.format, group, cols, w.path, blockCols)
	}
	w.scheme.Rows, w.scheme.Cols = blockRows, blockCols
	w.l.axes, w.l.blockCols = []axis{{rows, min(blockRows, max(1, rows))}}, min(blockCols, max(1, cols))
	w.l.groupCols = axis{cols, max(1, blockCols)}.groups()
	switch w.Strategy {
	case "tensor":
		w.scaleShape = []int{1}
	case "channel":
		w.scaleShape = []int{rows, 1}
	default:
		w.scaleShape = []int{w.l.axes[0].groups(), w.l.groupCols}
	}
	return true
}

// findScales finds the scales, and the one of the whole tensor.
func (w *ctWeight) findScales() bool {
	scale, ok := w.need(Scale, w.module+".weight_scale", w.storage.scaleTypes...)
	if !ok {
		return false
	}
	if !(w.Strategy == "tensor" && len(scale.dims()) == 0) && !w.wantShape(scale, w.scaleShape...) {
		return false
	}
	w.l.scale = scales{Stored: scale, inf255: true}
	if w.format != ctNVFP4 {
		return true
	}
	s, ok := w.need(GlobalScale, w.module+".weight_global_scale", safetensors.F32)
	if !ok || len(s.dims()) != 0 && !w.wantShape(s, 1) {
		return false
	}
	w.l.scale.factor, w.l.scale.global = divided, readSmall[float32](w.builder, s)[0]
	return true
}

// findZeros finds the zero points, if there are any. Older files of floats have some, which are all 0.
func (w *ctWeight) findZeros() bool {
	name := w.module + ".weight_zero_point"
	zero, ok := w.add(ZeroPoint, name)
	if !ok && w.symmetric() {
		return true
	}
	z, want, dtype := &zeros{Stored: zero}, w.scaleShape, safetensors.I8
	switch w.l.form {
	case formI8:
	case formBits:
		if w.Strategy != "channel" && w.Strategy != "group" && ok && zero.DType == dtype {
			z.plus = w.l.bias // the library packs those of channels and groups alone
			break
		}
		z.bits = w.l.bits
		want, dtype = []int{(w.scaleShape[0]*w.l.bits + 31) / 32, w.l.groupCols}, safetensors.I32
	default:
		return ok || w.fail(name, "%s is said to be asymmetric by %s, want symmetric", w.format, w.path)
	}
	if _, ok = w.need(ZeroPoint, name, dtype); !ok || !w.wantShape(zero, want...) {
		return false
	}
	w.l.zero = z
	return true
}

// findOrder finds the group of each column, if they are in an order of their own.
func (w *ctWeight) findOrder() bool {
	index, ok := w.add(GroupIndex, w.module+".weight_g_idx")
	if !ok {
		return w.err == nil
	}
	if index.DType != safetensors.I32 {
		return w.fail(index.Name, "is %v, want I32", index.DType)
	}
	if !w.wantShape(index, w.l.cols) {
		return false
	}
	// -1 throughout stands for an order that was never set.
	set := slices.ContainsFunc(readSmall[int32](w.builder, index), func(g int32) bool { return g != -1 })
	if w.err == nil && set {
		w.l.index = w.readIndex(index, w.l.groupCols)
	}
	return w.err == nil
}
