using Weir.Errors;

namespace Weir.Server.Health;

/// <summary><c>/healthz</c>: the process lives. <c>/readyz</c>: the database answers, so calls can be decided.</summary>
internal static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/healthz", static () => Results.Json(new { status = "ok" }));
        routes.MapGet("/readyz", static async (Readiness readiness, CancellationToken ct) => await readiness.ProblemAsync(ct) is { } problem
            ? Results.Json(new { status = "not ready", code = problem.Code.Sqlstate(), message = problem.Message },
                statusCode: StatusCodes.Status503ServiceUnavailable)
            : Results.Json(new { status = "ready" }));
    }
}
