namespace Weir.Isolation;

/// <summary>The statements of this feature: files, because they are read as a page. They name catalogs, and no table of Weir's.</summary>
internal static class IsolationSql
{
    private static readonly string Prelude = Read("prelude.sql");

    /// <summary>A statement over what the prelude names.</summary>
    public static string With(string statement) => Prelude + statement;

    public static string Read(string name)
    {
        using var stream = typeof(IsolationSql).Assembly.GetManifestResourceStream("isolation/" + name)
            ?? throw new InvalidOperationException($"{name} is not in the executable.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
