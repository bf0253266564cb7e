using System.Text.RegularExpressions;
using Npgsql;

namespace Weir.Configuration;

/// <summary>
/// Reads and writes database URLs as PostgreSQL's own tools take them:
/// <c>postgresql://user:password@host:5432,host2:5432/database?sslmode=require</c>. Errors never repeat the URL, which holds a password.
/// </summary>
internal static partial class DatabaseUrl
{
    public static NpgsqlConnectionStringBuilder Parse(string url)
    {
        if (Form().Match(url) is not { Success: true } match)
        {
            throw new FormatException("It is not a database URL of the form postgresql://user:password@host:port/database.");
        }

        var builder = new NpgsqlConnectionStringBuilder
        {
            Host = match.Groups["hosts"].Value,
            Username = Decode(match.Groups["user"]),
            Password = Decode(match.Groups["password"]),
            Database = Decode(match.Groups["database"]),
        };
        foreach (var pair in match.Groups["query"].Value.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = (pair.Split('=')[0], Uri.UnescapeDataString(pair[(pair.IndexOf('=', StringComparison.Ordinal) + 1)..]));
            Apply(builder, name, value);
        }

        return builder;
    }

    public static string Format(string user, string password, string host, int port, string database) =>
        $"postgresql://{Uri.EscapeDataString(user)}:{Uri.EscapeDataString(password)}@{host}:{port}/{Uri.EscapeDataString(database)}";

    private static void Apply(NpgsqlConnectionStringBuilder builder, string name, string value)
    {
        switch (name)
        {
            case "sslmode":
                builder.SslMode = Enum.TryParse<SslMode>(value.Replace("-", "", StringComparison.Ordinal), ignoreCase: true, out var mode)
                    ? mode
                    : throw new FormatException($"\"{value}\" is not an sslmode.");
                break;
            case "sslrootcert": builder.RootCertificate = value; break;
            case "host": builder.Host = value; break;
            case "options": builder.Options = value; break;
            case "application_name": builder.ApplicationName = value; break;
            case "target_session_attrs": builder.TargetSessionAttributes = value; break;
            default: throw new FormatException($"Weir does not know the URL's parameter \"{name}\".");
        }
    }

    private static string? Decode(Group group) => group is { Success: true, Length: > 0 } ? Uri.UnescapeDataString(group.Value) : null;

    [GeneratedRegex(
        @"^postgres(?:ql)?://(?:(?<user>[^:@/?#]*)(?::(?<password>[^@/?#]*))?@)?(?<hosts>[^/?#@]*)(?:/(?<database>[^/"
            + @"?#]*))?(?:\?(?<query>[^#]*))?$",
        RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Form();
}
