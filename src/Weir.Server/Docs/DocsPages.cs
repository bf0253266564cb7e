using System.Collections.Frozen;
using System.Reflection;
using System.Text;

namespace Weir.Server.Docs;

/// <summary>
/// The documentation of this release, from the program itself. Each page is rendered when it is first asked for, and its bytes never change
/// again.
/// </summary>
internal sealed class DocsPages
{
    private const string Resource = "docs:";
    private const string Style = "style.css";
    private const string Folder = "docs/";
    private const string Index = "README.md";

    private readonly FrozenDictionary<string, Lazy<DocsFile>> _files;

    public DocsPages()
    {
        var sources = typeof(DocsPages).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Resource, StringComparison.Ordinal))
            .Select(name => name[Resource.Length..]).ToArray();
        var addresses = sources.Where(s => s != Style).ToFrozenDictionary(s => s, AddressOf, StringComparer.Ordinal);
        var renderer = new DocsRenderer(addresses);
        _files = sources.ToFrozenDictionary(
            source => source == Style ? Style : addresses[source],
            source => new Lazy<DocsFile>(() => source == Style
                ? DocsFile.Of("text/css; charset=utf-8", Read(source))
                : DocsFile.Of("text/html; charset=utf-8", renderer.Render(source, Read(source)))),
            StringComparer.Ordinal);
    }

    /// <summary>What stands below <c>/docs/</c>; the empty one is the first page.</summary>
    public IEnumerable<string> Addresses => _files.Keys;

    /// <summary>Null where there is no such page.</summary>
    public DocsFile? Find(string address) => _files.GetValueOrDefault(address)?.Value;

    /// <summary>A page's address below <c>/docs/</c>: <c>docs/decisions/0130-x.md</c> is <c>decisions/0130-x</c>.</summary>
    private static string AddressOf(string source) => source == Index ? "" : source[Folder.Length..^".md".Length];

    private static string Read(string source)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(Resource + source)!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
