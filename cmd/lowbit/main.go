// Lowbit quantizes the weights of models, exactly and at the speed of memory.
//
//	lowbit demo                                               weights that ship with the tool, in each format
//	lowbit presets                                            what quantize --preset takes
//	lowbit quantize --preset P | --spec S | --recipe R -o OUT IN    codes and parameters
//	lowbit dequantize [--dtype f32|f16|bf16] -o OUT IN        tensors again
//	lowbit fakequant --spec S -o OUT IN [IN...]               the tensors quantized and dequantized, with masks and parameters
//	lowbit calibrate -o STATE IN...                           the state of quantizers that have seen batches of activations
//	lowbit inspect IN                                         what a checkpoint holds
//	lowbit compare A B                                        how two checkpoints differ
//	lowbit cpu                                                the implementation of this machine, and why
//	lowbit bench                                              the speed of this machine
//	lowbit completion bash|zsh|fish                           completion of commands and flags
//
// IN is a safetensors file, the index of a sharded checkpoint, the folder of a Hugging Face checkpoint, or a GGUF file; what it is, its
// first bytes tell. A folder, and an index, become a folder: shards of the same names, a new index, and every other file. It appears under
// its name when it is whole; a run that was killed is taken up by the next.
//
// A spec is JSON, given as it is or as @file; its fields are those of quant.ParseSpec:
//
//	lowbit quantize --preset int4-g32 -o out.safetensors in.safetensors
//	lowbit quantize --preset w4a16 -o Llama-w4a16 Llama
//	lowbit quantize --preset q4_k_m -o out.gguf in.gguf
//	lowbit quantize --spec '{"dtype":"int4","granularity":{"type":"per_block","axis":1,"block_size":32}}' --pack -o out.safetensors in.safetensors
//
// Tensors of F32, F16 and BF16 are quantized, if they are selected; all others are copied. They pass through memory in pieces, so that none
// is too large for it. OUT appears whole or not at all, and may be one of the INs. A closing line says how many bytes the tensors had and
// have, and how long it took.
//
// The exit status is 0, 1 if the work failed (or compare found a difference), 2 if the command line is wrong.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/lowbit-go/lowbit/kernels"
)

// Exit statuses.
const (
	exitOK = iota
	exitFailed
	exitUsage
)

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(hangup) { // as nohup has it
		signals = append(signals, hangup)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if os.Getenv("GOGC") == "" {
		// What is held are headers, and the work itself allocates next to nothing: to collect early costs no time that shows.
		debug.SetGCPercent(20)
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// commandLine is what kong parses.
type commandLine struct {
	Demo       demoCommand       `cmd:"" help:"Quantize weights that ship with the tool, in each format."`
	FakeQuant  fakeQuantCommand  `cmd:"" name:"fakequant" help:"Quantize tensors and dequantize them again."`
	Quantize   quantizeCommand   `cmd:"" help:"Turn tensors into codes and parameters."`
	Calibrate  calibrateCommand  `cmd:"" help:"Observe tensors over batches and write the state of their quantizers."`
	Presets    presetsCommand    `cmd:"" help:"List what quantize --preset takes."`
	Dequantize dequantizeCommand `cmd:"" help:"Turn codes into tensors again."`
	Inspect    inspectCommand    `cmd:"" help:"Show what a file holds."`
	Compare    compareCommand    `cmd:"" help:"Show how the tensors of two files differ; exit status 1 if any bit does."`
	CPU        cpuCommand        `cmd:"" name:"cpu" help:"Show the implementation of this machine, and why it was chosen."`
	Completion completionCommand `cmd:"" help:"Print a script that completes commands and flags in a shell."`
	Bench      benchCommand      `cmd:"" help:"Measure the speed of this machine."`

	ISA     string           `name:"isa" placeholder:"NAME" help:"Force an implementation: generic, avx2, avx512, avx512vbmi or neon."`
	Workers *int             `placeholder:"W" help:"Number of goroutines, all cores by default. Results do not depend on it."`
	Version kong.VersionFlag `help:"Show the version."`
}

// Validate refuses numbers of workers that are none.
func (c *commandLine) Validate() error {
	if c.Workers != nil && *c.Workers < 1 {
		return fmt.Errorf("--workers: is %d, want at least 1", *c.Workers)
	}
	return nil
}

// tool is what every command works with.
type tool struct {
	ctx     context.Context // done when the user interrupts
	stdout  *output
	stderr  *console
	isa     string // forced by --isa
	workers int
}

// output is standard output, which remembers that it could not be written.
type output struct {
	w   io.Writer
	err error // the first
}

// Write writes.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// usageError is an error of the command line that shows only when the command begins.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errInterrupted is what work ends with when the user interrupts it.
var errInterrupted = errors.New("interrupted")

// errDiffers is no error to print: compare has said it all.
var errDiffers = errors.New("the files differ")

// run runs the tool and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (status int) {
	type exit int // what kong's --help and --version leave Parse with
	out := &output{w: stdout}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case exit:
			status = int(e)
		default:
			panic(e)
		}
		if err := out.err; err != nil && status == exitOK {
			complain(stderr, fmt.Errorf("standard output: %w", withoutPath(err)))
			status = exitFailed
		}
	}()
	var cl commandLine
	parser := kong.Must(&cl,
		kong.Name("lowbit"),
		kong.Description("Quantizes the weights of models, exactly and at the speed of memory."),
		kong.Writers(out, stderr),
		kong.Exit(func(status int) { panic(exit(status)) }),
		kong.Vars{"version": version()},
	)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err == nil {
		err = givenTwice(command)
	}
	if err == nil {
		err = chooseISA(cl.ISA)
	}
	if err != nil {
		if out.err != nil {
			return exitOK // but for what could not be written
		}
		complain(stderr, err)
		return exitUsage
	}

	t := &tool{ctx: ctx, stdout: out, stderr: newConsole(stderr), isa: cl.ISA, workers: runtime.GOMAXPROCS(0)}
	if cl.Workers != nil {
		t.workers = *cl.Workers
	}
	switch err := command.Run(t, parser); {
	case err == nil:
		return exitOK
	case errors.Is(err, errDiffers):
		return exitFailed
	case errors.As(err, new(usageError)):
		complain(stderr, err)
		return exitUsage
	default:
		complain(stderr, err)
		return exitFailed
	}
}

// givenTwice refuses a flag that is given twice, of which only the last would count.
func givenTwice(command *kong.Context) error {
	seen := map[*kong.Flag]bool{}
	for _, p := range command.Path {
		if p.Flag == nil || p.Flag.IsSlice() {
			continue
		}
		if seen[p.Flag] {
			return fmt.Errorf("--%s: is given twice", p.Flag.Name)
		}
		seen[p.Flag] = true
	}
	return nil
}

// chooseISA forces an implementation, and refuses one that this machine lacks before a kernel would panic.
func chooseISA(flag string) error {
	if flag != "" {
		if err := kernels.Use(flag); err != nil {
			return fmt.Errorf("--isa: %w", plain(err))
		}
		return nil
	}
	name := os.Getenv("LOWBIT_ISA")
	if name == "" || slices.Contains(kernels.Implementations(), name) {
		return nil
	}
	return fmt.Errorf("LOWBIT_ISA: %w", plain(kernels.Use(name)))
}

// plain drops the name of the package that an error begins with, and makes one of package json speak of JSON instead of Go.
func plain(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("is a JSON %s, want another type", e.Value)
	}
	text := err.Error()
	for _, name := range []string{"quant: ", "kernels: "} {
		text = strings.TrimPrefix(text, name)
	}
	return errors.New(text)
}

// complain prints an error as one line.
func complain(stderr io.Writer, err error) {
	var line strings.Builder
	for _, r := range err.Error() {
		if strconv.IsPrint(r) {
			line.WriteRune(r)
		} else {
			line.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	fmt.Fprintf(stderr, "lowbit: %s\n", line.String())
}

// version names the module's version as far as the build knows it.
func version() string {
	v := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	return fmt.Sprintf("lowbit %s %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
