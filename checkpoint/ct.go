package checkpoint

import (
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
	defer b.others(p+".input_scale", p+".input_zero_point", p+".input_global_scale", p+".output_scale", p+".output_zero_point")
	codes := p + ".weight"
	if _, packed := r.storedAs(p + ".weight_packed"); packed {
		codes = p + ".weight_packed"
	}
	broken := func() {
		b.add(Codes, codes)
		for _, suffix := range ctCompanions {
			if p+suffix != codes {
				b.others(p + suffix)
			}
		}
		if len(b.parts) > 0 {
			b.done(b.parts[0].dims(), nil, 0)
		}
	}
	g := groups.group(p)
	if ignored.named(p) != nil {
		b.fail(codes, "is quantized, though the ignore of %s names its module", q.path)
		broken()
		return
	}
	if g == nil {
		b.fail(codes, "is quantized, but no group of %s has it among its targets", q.path)
		broken()
		return
	}
	w := g.Weights
	format := g.Format
	if format == "" {
		format = q.Format
	}
	b.scheme.Format, b.scheme.Bits = format, w.NumBits
	unsupported := func(what string, value any) {
		b.fail(codes, "%s %v of %s in %s is not supported", what, value, format, q.path)
		broken()
	}
	l := &grouped{bits: w.NumBits}
	var codeTypes []safetensors.DType
	var codesName string
	scaleTypes := floats
	group := 0
	switch format {
	case ctInt, ctNaive, ctFloat:
		codesName = p + ".weight"
		switch {
		case w.Type == "int" && w.NumBits >= 2 && w.NumBits <= 8 && format != ctFloat:
			l.form, codeTypes = formI8, []safetensors.DType{safetensors.I8}
		case w.Type == "float" && w.NumBits == 8 && format != ctInt:
			l.form, codeTypes = formE4M3, []safetensors.DType{safetensors.F8_E4M3}
		default:
			unsupported("type "+w.Type+" with num_bits", w.NumBits)
			return
		}
	case ctPack:
		codesName = p + ".weight_packed"
		if w.Type != "int" || w.NumBits < 2 || w.NumBits > 8 {
			unsupported("type "+w.Type+" with num_bits", w.NumBits)
			return
		}
		l.form, codeTypes = formBits, []safetensors.DType{safetensors.I32}
		l.bias = 1 << (w.NumBits - 1)
	case ctNVFP4:
		codesName, l.form, l.bits, group = p+".weight_packed", formE2M1, 4, 16
		codeTypes, scaleTypes = []safetensors.DType{safetensors.U8}, []safetensors.DType{safetensors.F8_E4M3}
	case ctMXFP4, ctMXFP6, ctMXFP8:
		codesName, l.form, l.bits, group = p+".weight_packed", formE2M1, 4, 32
		codeTypes, scaleTypes = []safetensors.DType{safetensors.U8}, []safetensors.DType{safetensors.U8, safetensors.F8_E8M0}
		if format == ctMXFP6 {
			l.form, l.bits = formE2M3, 6
		}
		if format == ctMXFP8 {
			codesName, l.form, l.bits, codeTypes = p+".weight", formE4M3, 8, []safetensors.DType{safetensors.F8_E4M3}
		}
	default:
		unsupported("format", format)
		return
	}
	if l.bits != w.NumBits {
		b.fail(codes, "is %s, of %d bits, but num_bits in %s is %d", format, l.bits, q.path, w.NumBits)
		broken()
		return
	}
	defer func() {
		if b.err != nil {
			broken()
		}
	}()

	stored, ok := b.need(Codes, codesName, codeTypes...)
	if !ok {
		return
	}
	if len(stored.dims()) != 2 {
		b.fail(stored.Name, "has the shape %s, want two axes", shapeText(stored.dims()))
		return
	}
	rows, cols := stored.dims()[0], stored.dims()[1]
	l.codes, l.rowBytes = stored, int(stored.Size/int64(max(1, rows)))
	switch l.form {
	case formBits:
		s, ok := b.need(Other, p+".weight_shape", safetensors.I64)
		if !ok || !b.wantShape(s, 2) {
			return
		}
		shape := readSmall[int64](b, s)
		if b.err != nil {
			return
		}
		if shape[0] != int64(rows) || shape[1] < 1 || shape[1] > int64(cols)*32/int64(l.bits) || (shape[1]*int64(l.bits)+31)/32 != int64(cols) {
			b.fail(s.Name, "says that the shape is %s, but the codes of %d bits have the shape %s in 32-bit words", shapeText([]int{int(shape[0]), int(shape[1])}), l.bits, shapeText(stored.dims()))
			return
		}
		cols = int(shape[1])
	case formE2M1:
		cols *= 2
	case formE2M3:
		if cols%3 != 0 {
			b.fail(stored.Name, "has rows of %d bytes, want whole triples", cols)
			return
		}
		cols = cols / 3 * 4
	}

	blockRows, blockCols := 1, 0
	var scaleShape []int
	switch strategy := w.Strategy; strategy {
	case "tensor":
		blockRows, blockCols, scaleShape = max(1, rows), cols, []int{1}
	case "channel":
		blockCols, scaleShape = cols, []int{rows, 1}
	case "group", "tensor_group":
		if w.GroupSize == nil || *w.GroupSize < 1 {
			b.fail(stored.Name, "is quantized in groups, but %s does not have their group_size", q.path)
			return
		}
		blockCols = *w.GroupSize
		scaleShape = []int{rows, (cols + blockCols - 1) / blockCols}
	case "block":
		if len(w.BlockStructure) != 2 || w.BlockStructure[0] < 1 || w.BlockStructure[1] < 1 {
			b.fail(stored.Name, "is quantized in blocks, but the block_structure in %s is %v", q.path, w.BlockStructure)
			return
		}
		blockRows, blockCols = w.BlockStructure[0], w.BlockStructure[1]
		scaleShape = []int{(rows + blockRows - 1) / blockRows, (cols + blockCols - 1) / blockCols}
	default:
		b.fail(stored.Name, "the strategy %q in %s is not supported", strategy, q.path)
		return
	}
	if group != 0 && (blockCols != group || blockRows != 1 || cols%group != 0) {
		b.fail(stored.Name, "is %s, which has groups of %d that divide its rows of %d, but %s says groups of %d", format, group, cols, q.path, blockCols)
		return
	}
	b.scheme.Rows, b.scheme.Cols = blockRows, blockCols
	l.cols, l.axes, l.blockCols = cols, []axis{{rows, blockRows}}, blockCols
	l.groupCols = (cols + blockCols - 1) / max(1, blockCols)

	scale, ok := b.need(Scale, p+".weight_scale", scaleTypes...)
	if !ok {
		return
	}
	if !(w.Strategy == "tensor" && len(scale.dims()) == 0) && !b.wantShape(scale, scaleShape...) {
		return
	}
	l.scale = scales{Stored: scale, inf255: true}
	if format == ctNVFP4 {
		s, ok := b.need(GlobalScale, p+".weight_global_scale", safetensors.F32)
		if !ok {
			return
		}
		if len(s.dims()) != 0 && !b.wantShape(s, 1) {
			return
		}
		l.scale.factor, l.scale.global = divided, readSmall[float32](b, s)[0]
	}

	if zero, ok := b.add(ZeroPoint, p+".weight_zero_point"); ok || !w.symmetric() {
		want := scaleShape
		z := &zeros{Stored: zero, bits: 8}
		zeroType := safetensors.I8
		if l.form == formBits {
			zeroType = safetensors.I32
			z.bits, z.pack = l.bits, true
			want = []int{(scaleShape[0]*l.bits + 31) / 32, l.groupCols}
		}
		if l.form != formBits && l.form != formI8 {
			if !ok {
				b.fail(p+".weight_zero_point", "%s is said to be asymmetric by %s, want symmetric", format, q.path)
				return
			}
			// It is of zeros, which older files have.
		} else if _, ok = b.need(ZeroPoint, p+".weight_zero_point", zeroType); !ok || !b.wantShape(zero, want...) {
			return
		} else {
			l.zero = z
		}
	}
	if index, ok := b.add(GroupIndex, p+".weight_g_idx"); ok {
		if index.DType != safetensors.I32 {
			b.fail(index.Name, "is %v, want I32", index.DType)
			return
		}
		if !b.wantShape(index, cols) {
			return
		}
		// -1 throughout stands for an order that was never set.
		unset := true
		for _, g := range readSmall[int32](b, index) {
			unset = unset && g == -1
		}
		if b.err == nil && !unset {
			l.index = b.readIndex(index, l.groupCols)
		}
	}
	b.others(p + ".weight_shape")
	b.done([]int{rows, cols}, l, scale.DType)
}
