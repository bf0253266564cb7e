using System.Security.Cryptography;

namespace Weir.Isolation.Attack;

/// <summary>What a function is called with: ids by the names of its parameters, and for the rest something plausible.</summary>
internal static class Arguments
{
    // The first that is in a parameter's name. A name that is not here is tried with every id.
    private static readonly (string Part, string Kind)[] Kinds =
    [
        ("key_id", "key"), ("ssh", "ssh"), ("org", "organization"), ("workspace", "workspace"), ("channel", "channel"), ("agent", "agent"),
        ("server", "server"), ("instance", "server"), ("user", "user"), ("member", "user"), ("before", "message"), ("message", "message"),
        ("reply", "message"), ("invitation", "invitation"), ("request", "request"), ("grant", "grant"), ("permission", "grant"),
        ("datastore", "datastore"), ("document", "document"),
    ];

    /// <summary>The values of one action parameter: a function with one is a function for each.</summary>
    public static IReadOnlyList<string> Actions { get; } = ["create", "update", "delete", "deploy", "start", "stop", "restart"];

    public static string? KindOf(AttackedParameter parameter) =>
        Kinds.FirstOrDefault(k => parameter.Name.Contains(k.Part, StringComparison.Ordinal)).Kind;

    /// <summary>Whether a parameter names something; a key's public part does, and what a request document holds.</summary>
    public static bool IsId(AttackedParameter parameter) =>
        parameter.Type == "uuid" || parameter is { Type: "text", Name: "key_id" } or { Type: "jsonb", Name: "request" };

    public static string IdFor(AttackedParameter parameter, IReadOnlyDictionary<string, string> ids)
    {
        var id = KindOf(parameter) is { } kind
            && ids.TryGetValue(kind == "request" && parameter.Type == "jsonb" ? "server" : kind, out var known)
                ? known : ids["organization"];
        return parameter.Type == "jsonb" ? $$"""{"action":"stop","server_instance_id":"{{id}}"}""" : id;
    }

    /// <summary>What is no id. Null where the parameter is left to its default.</summary>
    public static string? Plausible(AttackedParameter parameter, string action) => parameter.Name switch
    {
        "action" => action,
        "server_config" => """{"instance_name":"probe","url":"https://probe.example/mcp"}""",
        "chunks" => """[{"text":"probe"}]""",
        "permissions" => """{"tools":{"*":{}}}""",
        _ when parameter.IsOptional => null,
        "email" => "probe@probe.example",
        "role" => "member",
        "status" => "suspended",
        "token" or "secret" => new string('x', 43),
        "scopes" => "{servers.read}",
        _ => parameter.Type switch
        {
            "boolean" => "true",
            "integer" or "bigint" or "smallint" => "1",
            "jsonb" or "json" => "{}",
            "timestamp with time zone" => "2100-01-01T00:00:00Z",
            _ when parameter.Type.EndsWith("[]", StringComparison.Ordinal) => "{}",
            _ => "probe",
        },
    };

    /// <summary>An id of the same time that nothing has: what sorts by time sorts it alike.</summary>
    public static string Twin(string id)
    {
        if (!Guid.TryParse(id, out var guid))
        {
            return TenantBuilder.Random(id.Length);
        }

        var bytes = guid.ToByteArray(bigEndian: true);
        RandomNumberGenerator.Fill(bytes.AsSpan(9));
        return new Guid(bytes, bigEndian: true).ToString();
    }
}
