package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayPanic are the functions of the library that may, and why.
var mayPanic = map[string]string{
	"conf.Var":  "an option declared twice is found by every start of every test",
	"conf.Also": "likewise",
}

// forbidden are calls that would end the broker, or take its signals.
var forbidden = map[string][]string{
	"os":        {"Exit"},
	"log":       {"Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln"},
	"os/signal": {"Notify", "NotifyContext", "Ignore", "Reset", "Stop"},
	"runtime":   {"Goexit"},
	"syscall":   {"Exit", "Kill"},
}

// The library must not end the broker, nor do anything when it is merely loaded.
func TestSources(t *testing.T) {
	for _, p := range packages(t, true, "./cgo") {
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
			set := token.NewFileSet()
			path := filepath.Join(p.Dir, name)
			f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range faultsOf(p.name(), f) {
				t.Errorf("%s: %s", set.Position(fault.at), fault.text)
			}
		}
	}
}

type fault struct {
	at   token.Pos
	text string
}

func faultsOf(pkg string, f *ast.File) (faults []fault) {
	add := func(n ast.Node, text string) { faults = append(faults, fault{n.Pos(), text}) }
	names := map[string]string{} // in the file, to the import path
	for _, i := range f.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		name := path[strings.LastIndex(path, "/")+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		if name == "_" || name == "." {
			add(i, "import "+name)
		}
		names[name] = path
	}
	for _, d := range f.Decls {
		within := ""
		if fn, ok := d.(*ast.FuncDecl); ok {
			within = pkg + "." + fn.Name.Name
			if fn.Name.Name == "init" && fn.Recv == nil {
				add(fn, "func init")
			}
		}
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr: // also where it is not called at once
				if x, ok := n.X.(*ast.Ident); ok && slices.Contains(forbidden[names[x.Name]], n.Sel.Name) {
					add(n, names[x.Name]+"."+n.Sel.Name)
				}
			case *ast.CallExpr:
				if x, ok := n.Fun.(*ast.Ident); ok && x.Name == "panic" && mayPanic[within] == "" {
					add(n, "panic, and "+within+" is not among those that may")
				}
			}
			return true
		})
	}
	return faults
}

// The rules are seen to be broken where they are.
func TestSourcesSeesFaults(t *testing.T) {
	const text = `package p
import ("os"; sig "os/signal"; _ "embed")
func init() {}
func f() { exit := os.Exit; exit(1); sig.Notify(nil); panic(0) }
func Var() { panic(0) }
`
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, fault := range faultsOf("conf", f) {
		got = append(got, fault.text)
	}
	want := []string{"import _", "func init", "os.Exit", "os/signal.Notify", "panic, and conf.f is not among those that may"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
