using Weir.Errors;
using Weir.Postgres;

namespace Weir.Server.Health;

/// <summary><c>/healthz</c>: the process lives. <c>/readyz</c>: the database answers, so calls can be decided.</summary>
internal static class HealthEndpoints
{
    private const string Probe = "select weir.change_version()";

    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/healthz", static () => Results.Json(new { status = "ok" }));
        routes.MapGet("/readyz", static async (Databases databases, CancellationToken ct) =>
        {
            try
            {
                await databases.Engine.ScalarAsync<long>(Probe, [], ct);
                return Results.Json(new { status = "ready" });
            }
            catch (WeirException e)
            {
                return Results.Json(new { status = "not ready", code = e.Code.Sqlstate(), message = e.Message },
                    statusCode: StatusCodes.Status503ServiceUnavailable);
            }
        });
    }
}
