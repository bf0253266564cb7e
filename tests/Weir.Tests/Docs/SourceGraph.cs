using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Docs;

/// <summary>One place where a file names a type, a member or a constant of another folder.</summary>
/// <param name="From">The folder of the file, under the project: <c>Gateway/Http</c>; empty for the project's own folder.</param>
/// <param name="To">The folder of the file that declares what is named.</param>
/// <param name="Where">File and line.</param>
/// <param name="Named">The type that is named.</param>
internal sealed record SourceEdge(string From, string To, string Where, string Named)
{
    public override string ToString() => $"{From} -> {To}: {Where} names {Named}";
}

/// <summary>
/// Which folder of a project names which other, by the compiler's symbols: constants and documentation references included.
/// </summary>
internal sealed class SourceGraph
{
    private const string ImplicitUsings = """
        global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq;
        global using System.Net.Http; global using System.Threading; global using System.Threading.Tasks;
        """;

    private const string ImplicitWebUsings = ImplicitUsings + """
        global using System.Net.Http.Json; global using Microsoft.AspNetCore.Builder; global using Microsoft.AspNetCore.Hosting;
        global using Microsoft.AspNetCore.Http; global using Microsoft.AspNetCore.Routing; global using Microsoft.Extensions.Configuration;
        global using Microsoft.Extensions.DependencyInjection; global using Microsoft.Extensions.Hosting;
        global using Microsoft.Extensions.Logging;
        """;

    private readonly string _root;

    private SourceGraph(string root, IReadOnlyList<SourceEdge> edges, IReadOnlyList<string> types, IReadOnlyList<string> bodies)
    {
        (_root, Edges, Types, BodyReads) = (root, edges, types, bodies);
    }

    /// <summary>Edges between different folders of the project.</summary>
    public IReadOnlyList<SourceEdge> Edges { get; }

    /// <summary>
    /// Names of the types that other files of the project can see, one entry for each declaration that is not <c>partial</c>.
    /// </summary>
    public IReadOnlyList<string> Types { get; }

    /// <summary>Files and lines in which the body of a request is read.</summary>
    public IReadOnlyList<string> BodyReads { get; }

    /// <summary>All folders with C# files, relative to the project.</summary>
    public IReadOnlyList<string> Folders =>
        [.. Files(_root).Select(f => FolderOf(_root, f)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    /// <param name="project">A folder under <c>src</c>.</param>
    /// <param name="seen">Other projects whose types it names.</param>
    public static SourceGraph Read(string project, params string[] seen)
    {
        var root = Repository.PathOf($"src/{project}");
        var options = new CSharpParseOptions(LanguageVersion.Latest, DocumentationMode.Parse);
        var trees = new[] { project }.Concat(seen).SelectMany(p => Files(Repository.PathOf($"src/{p}")))
            .Select(f => CSharpSyntaxTree.ParseText(File.ReadAllText(f), options, f)).ToList();
        var usings = CSharpSyntaxTree.ParseText(project == "Weir" ? ImplicitUsings : ImplicitWebUsings, options, "usings.cs");
        var compilation = CSharpCompilation.Create(
            "source", [.. trees, usings], References(),
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true));
        List<SourceEdge> edges = [];
        List<string> types = [];
        List<string> bodies = [];
        foreach (var tree in trees.Where(t => IsUnder(root, t.FilePath)))
        {
            var model = compilation.GetSemanticModel(tree);
            edges.AddRange(EdgesOf(root, model));
            types.AddRange(tree.GetRoot().DescendantNodes().OfType<BaseTypeDeclarationSyntax>()
                .Where(t => !t.Modifiers.Any(SyntaxKind.PartialKeyword) && !t.Modifiers.Any(SyntaxKind.PrivateKeyword))
                .Select(t => model.GetDeclaredSymbol(t)!.Name));
            bodies.AddRange(BodiesIn(root, model));
        }

        return new SourceGraph(root, edges, types, bodies);
    }

    /// <summary>The first edge, in the order of files, from a folder to one that the order has after it.</summary>
    /// <param name="order">Folders from the bottom up. One that is missing has the place of the nearest folder above it in the
    /// tree.</param>
    public SourceEdge? FirstClimbing(IReadOnlyList<string> order) => Climbing(order).FirstOrDefault();

    private IEnumerable<SourceEdge> Climbing(IReadOnlyList<string> order) =>
        Edges.Where(e => PlaceOf(order, e.To) > PlaceOf(order, e.From));

    private static int PlaceOf(IReadOnlyList<string> order, string folder)
    {
        for (var name = folder; ; name = name.Contains('/', StringComparison.Ordinal) ? name[..name.LastIndexOf('/')] : "")
        {
            for (var i = 0; i < order.Count; i++)
            {
                if (order[i] == name)
                {
                    return i;
                }
            }

            if (name.Length == 0)
            {
                return order.Count;
            }
        }
    }

    private static IEnumerable<SourceEdge> EdgesOf(string root, SemanticModel model)
    {
        var from = FolderOf(root, model.SyntaxTree.FilePath);
        foreach (var name in model.SyntaxTree.GetRoot().DescendantNodes(descendIntoTrivia: true).OfType<SimpleNameSyntax>())
        {
            var info = model.GetSymbolInfo(name);
            foreach (var symbol in info.Symbol is { } one ? [one] : info.CandidateSymbols)
            {
                var type = OutermostOf(symbol);
                var file = type?.DeclaringSyntaxReferences.FirstOrDefault()?.SyntaxTree.FilePath;
                if (file is not null && IsUnder(root, file) && FolderOf(root, file) is var to && to != from)
                {
                    var line = name.GetLocation().GetLineSpan().StartLinePosition.Line + 1;
                    yield return new SourceEdge(from, to, $"{Path.GetRelativePath(root, model.SyntaxTree.FilePath)}:{line}", type!.Name);
                }
            }
        }
    }

    private static IEnumerable<string> BodiesIn(string root, SemanticModel model) =>
        from name in model.SyntaxTree.GetRoot().DescendantNodes().OfType<SimpleNameSyntax>()
        where name.Identifier.Text is "Body" or "BodyReader" or "Form" or "ReadFormAsync" or "ReadFromJsonAsync"
        let symbol = model.GetSymbolInfo(name).Symbol
        where symbol?.ContainingType?.Name is "HttpRequest" or "HttpRequestJsonExtensions" or "RequestFormReaderExtensions"
        let line = name.GetLocation().GetLineSpan().StartLinePosition.Line + 1
        select $"{Path.GetRelativePath(root, model.SyntaxTree.FilePath)}:{line}";

    private static INamedTypeSymbol? OutermostOf(ISymbol symbol)
    {
        var type = symbol as INamedTypeSymbol ?? (symbol is INamespaceSymbol ? null : symbol.ContainingType);
        while (type?.ContainingType is { } outer)
        {
            type = outer;
        }

        return type?.OriginalDefinition;
    }

    private static ImmutableArray<MetadataReference> References() =>
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(f => !Path.GetFileName(f).StartsWith("weir", StringComparison.OrdinalIgnoreCase))
            .Select(f => MetadataReference.CreateFromFile(f)),
    ];

    private static IEnumerable<string> Files(string root) => Directory.GetFiles(root, "*.cs", SearchOption.AllDirectories)
        .Where(f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal))
        .Order(StringComparer.Ordinal);

    private static bool IsUnder(string root, string file) => file.StartsWith(root + "/", StringComparison.Ordinal);

    private static string FolderOf(string root, string file) => Path.GetDirectoryName(Path.GetRelativePath(root, file))!;
}
