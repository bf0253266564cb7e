using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Weir.Postgres.Migrations;

/// <summary>
/// One file of <c>db/migrations</c>. Its checksum is of its text with LF line ends, so a checkout's setting does not matter.
/// </summary>
internal sealed partial record MigrationScript(string Name, string Text)
{
    private const string Prefix = "migrations/";

    public byte[] Checksum => SHA256.HashData(Encoding.UTF8.GetBytes(Text.ReplaceLineEndings("\n")));

    /// <summary>Schema and name of each table that the script makes.</summary>
    public IReadOnlyList<string> Tables =>
        TableForm().Matches(Text).Select(m => m.Groups["table"].Value.ToLowerInvariant()).Distinct().ToArray();

    /// <summary>The scripts inside the executable, in order of their names.</summary>
    public static IReadOnlyList<MigrationScript> Embedded()
    {
        var assembly = typeof(MigrationScript).Assembly;
        return assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(name => new MigrationScript(name[Prefix.Length..], Read(assembly, name)))
            .ToArray();
    }

    private static string Read(Assembly assembly, string name)
    {
        using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    [GeneratedRegex(@"^\s*create\s+table\s+(?:if\s+not\s+exists\s+)?(?<table>(?:public|weir)\.[a-z0-9_]+)",
        RegexOptions.Multiline | RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant,
        matchTimeoutMilliseconds: 5000)]
    private static partial Regex TableForm();
}
