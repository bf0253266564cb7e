using Microsoft.AspNetCore.WebUtilities;
using Weir.Rest;

namespace Weir.Server.Rest;

/// <summary>What a request's headers and query string say, in PostgREST's conventions.</summary>
internal static class RestHeaders
{
    private const string ObjectType = "application/vnd.pgrst.object+json";
    private const string ArrayType = "application/vnd.pgrst.array+json";
    private static readonly string[] Counts = ["count=exact", "count=planned", "count=estimated"];
    private static readonly string[] Preferences =
    [
        .. Counts, "handling=strict", "handling=lenient", "return=minimal", "return=representation", "return=headers-only",
        "tx=commit", "missing=default", "missing=null",
    ];

    /// <summary>Name and value, decoded, in the order in which they came; names are told apart by case.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Query(HttpRequest request)
    {
        var query = new List<KeyValuePair<string, string>>();
        foreach (var pair in new QueryStringEnumerable(request.QueryString.Value))
        {
            query.Add(KeyValuePair.Create(pair.DecodeName().ToString(), pair.DecodeValue().ToString()));
        }

        return query;
    }

    /// <exception cref="RestException">PGRST106: another schema than <c>public</c>.</exception>
    public static void RefuseOtherProfiles(HttpRequest request)
    {
        var profile = request.Headers[
            HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) ? "Accept-Profile" : "Content-Profile"].ToString();
        if (profile is not ("" or "public"))
        {
            throw RestErrors.Profile(profile);
        }
    }

    /// <exception cref="RestException">PGRST107: CSV, GeoJSON, a plan, or anything else that is not JSON.</exception>
    public static RestFormat Format(HttpRequest request)
    {
        var accept = request.Headers.Accept.ToString();
        if (accept.Length == 0)
        {
            return new RestFormat(RestShape.Array, StripNulls: false);
        }

        foreach (var type in accept.Split(',', StringSplitOptions.TrimEntries))
        {
            var stripped = type.Contains("nulls=stripped", StringComparison.OrdinalIgnoreCase);
            switch (type.Split(';')[0].TrimEnd().ToLowerInvariant())
            {
                case ObjectType or "application/vnd.pgrst.object":
                    return new RestFormat(RestShape.Object, stripped);
                case ArrayType or "application/vnd.pgrst.array":
                    return new RestFormat(RestShape.Array, stripped);
                case "application/json" or "application/*" or "*/*":
                    return new RestFormat(RestShape.Array, StripNulls: false);
            }
        }

        throw RestErrors.MediaType(accept);
    }

    public static string ContentType(RestFormat format) => (format switch
    {
        { Shape: RestShape.Object, StripNulls: true } => ObjectType + ";nulls=stripped",
        { Shape: RestShape.Object } => ObjectType,
        { StripNulls: true } => ArrayType + ";nulls=stripped",
        _ => "application/json",
    }) + "; charset=utf-8";

    /// <summary>Whether rows are counted. Always exactly: the planner's estimates know the rows of other tenants.</summary>
    /// <exception cref="RestException">PGRST122: one that is not known, where the request says to be strict.</exception>
    public static bool Count(HttpRequest request)
    {
        var given = request.Headers["Prefer"]
            .SelectMany(p => (p ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).ToArray();
        var unknown = given.Where(p => !Preferences.Contains(p, StringComparer.Ordinal)).ToArray();
        return given.Contains("handling=strict", StringComparer.Ordinal) && unknown.Length > 0
            ? throw RestErrors.Preferences(string.Join(", ", unknown))
            : given.Any(p => Counts.Contains(p, StringComparer.Ordinal));
    }
}
